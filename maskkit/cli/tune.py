"""What `maskkit evaluate --tune` adds to an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from maskkit.cli.shell.parameters import SHELL_PANEL, Needs
from maskkit.cli.shell.show_report import note_report, show_tables
from maskkit.cli.shell.streams import SideFile, stdout_is_terminal

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.fitting.gain import Tuned
    from maskkit.scoring.bootstrap import Bootstrap

Tune = Annotated[
    str | None,
    "Choose how probabilities become answers: an offset per class (classes) or level of each factor "
    "(factors), or of one factor, by its name, such as age, whose threshold it moves; all for "
    "macro-F1. Or a temperature, which changes no answer.",
]
DecisionOut = Annotated[
        SideFile | None,
        "Write what --tune chose, for --decide of predict and ensemble.",
        SHELL_PANEL,
        Needs("tune", "say what to tune, such as --tune factors"),
    ]  # fmt: skip


def tuned(
    manifest: Manifest,
    predictions: Predictions,
    tune: str | None,
    decision: SideFile | None,
    *,
    draws: Bootstrap,
    allow_leak: bool,
) -> Tuned | None:
    """Tune if that was asked for, and write the decision before anything is printed."""
    if tune is None:
        return None
    from maskkit.stages.tune import tune as stage

    found = stage(manifest, predictions, method=tune, draws=draws, allow_leak=allow_leak)
    if decision is not None:
        decision.write(found.decision.to_bytes(), "the decision is")
    return found


def show_tuning(tuned: Tuned, *, json: bool) -> None:
    """Show what tuning found and brought; in a pipe people still see it, on standard error."""
    from maskkit.reporting.blend_report import tuning_report

    report = tuning_report(tuned)
    if stdout_is_terminal() and not json:
        show_tables(report)
    else:
        note_report(report)
