"""What `maskkit evaluate --tune` adds to an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from maskkit.cli.shell import terminal
from maskkit.cli.shell.parameters import SHELL_PANEL, Needs
from maskkit.cli.shell.streams import SideFile, stdout_is_terminal
from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import interval, new_table

if TYPE_CHECKING:
    from rich.table import Table

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
    is_shown = stdout_is_terminal() and not json
    for table in tuning_tables(tuned):
        if is_shown:
            terminal.show(table)
        else:
            terminal.note(table)
    if is_shown:
        terminal.show(escape(tuned.sentence))
    else:
        terminal.note(tuned.sentence)


def tuning_tables(tuned: Tuned) -> Iterator[Table]:
    """Show the offsets, and the measures with and without them."""
    if tuned.offsets:
        table = new_table("offsets of log probabilities",
                          "", "offset", f"tuned on {tuned.parts - 1} of {tuned.parts} parts")  # fmt: skip
        for one in tuned.offsets:
            table.add_row(escape(one.name), f"{one.value:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}")
        yield table
    table = new_table(
        f"{tuned.rows} photos of {tuned.people} people",
        "", "plain", "own people", "other people", "gain on other people",
    )  # fmt: skip
    for change in tuned.changes:
        values = (f"{value:.4f}" for value in (change.plain, change.in_sample, change.nested))
        table.add_row(change.title, *values, interval(change.gain, signed=True))
    if not tuned.offsets:
        table.caption = f"temperature {tuned.decision.temperature:.3f}"
    yield table
