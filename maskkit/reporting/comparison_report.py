"""The HTML page of `maskkit compare`: trainings beside each other, and each against the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maskkit.reporting.differences import Axis
from maskkit.reporting.html import render
from maskkit.reporting.plots import Chart, Drawing, PlotLine, draw
from maskkit.scoring.results import Estimate
from maskkit.scoring.run_comparison import Compared

NAMES = {"macro_f1": "macro-F1", "accuracy": "accuracy"}


def runs_page(result: Compared) -> str:
    """Return the page."""
    axis = Axis.around(_differences(result))
    facts = {f"Run {number}": run.name for number, run in enumerate(result.runs, 1)}
    facts["Run 1"] += " (what the others are compared with)"
    return render(
        "runs.html",
        title=_title([run.label for run in result.runs]),
        facts=facts,
        history="",
        found=result,
        names={name: NAMES.get(name, name.removesuffix("_accuracy")) for name in result.measures} | NAMES,
        axis=axis,
        drawings=_curves(result),
        decisive={one.label: one.decisive for one in result.versus if one.decisive is not None},
    )


def _curves(result: Compared) -> list[Drawing]:
    lines = tuple(
        PlotLine(run.label, range(1, len(run.curve) + 1), run.curve) for run in result.runs if run.curve
    )
    return [draw(Chart("Macro-F1 on the people held out", "epoch", lines))] if lines else []


def _title(labels: Sequence[str]) -> str:
    others = labels[1] if len(labels) == 2 else f"{len(labels) - 1} runs"
    return f"{others} compared with {labels[0]}"


def _differences(result: Compared) -> Iterator[Estimate]:
    for one in result.versus:
        yield from (one.difference or one.by_fold or {}).values()
