"""The report of `maskkit lr-find`: the loss at rising learning rates, and the rate that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maskkit.reporting.plots import Chart, Mark, PlotLine
from maskkit.reporting.report import Report, Section
from maskkit.reporting.table import Column, Note, Row, Table, Value

if TYPE_CHECKING:
    from maskkit.training.range_test import Curve

# Above the highest loss before the lowest, as a share of the fall: what blows up is not worth more.
ROOM = 0.25
ROWS = 13  # of a terminal's table, beside the suggestion and the lowest


def rates_report(
    curve: Curve, *, data: Any, recipe: str, title: str, facts: Mapping[str, str], history: str
) -> Report:
    """Lay out a range test; `recipe` is to be pasted, and `facts` say what was tested, in their order.

    `data` is the JSON; `history` are the commands that made it, one per line, empty if unknown.
    """
    columns = tuple(Column(name, name) for name in ("rate", "loss", "smoothed"))
    every = Table.of(data["curve"], columns, name="", head=Column("", ""), at=("curve",), on="programs")
    chart = (
        _chart(curve),
        Note(
            "The loss of each batch before its step, the rate rising by the same factor at every step, and "
            "its moving average. A line that leaves the frame at the top goes on above it",
            on="page",
        ),
    )
    return Report(
        title=title,
        data=data,
        sections=(
            Section("Loss by learning rate", chart),
            Section("Loss", (every, _some(curve)), is_brief=True),
        ),
        verdict=(
            Note(f"Learning rate {curve.suggestion:g}: {curve.rule}"),
            Note(f"The test ended because {curve.stopped}"),
            Note("Another optimizer, batch size, model or loss needs another rate, so test again"),
            Note("For a recipe:"),
            Note(recipe, "code"),
        ),
        scores=(("suggestion", curve.suggestion, Column("", "", "plain")),),
        facts=facts,
        history=history,
        header="wide",
    )


def _chart(curve: Curve) -> Chart:
    lowest = _lowest(curve)
    before = max(*curve.losses[: lowest + 1], *curve.smoothed[: lowest + 1])
    return Chart(
        "Training loss at a rising rate",
        "learning rate of the backbone",
        (
            PlotLine("smoothed", curve.rates, curve.smoothed),
            PlotLine("of each batch", curve.rates, curve.losses, is_faint=True),
        ),
        marks=(
            Mark(curve.suggestion, f"suggestion {curve.suggestion:g}", is_low=True),
            Mark(curve.rates[lowest], f"lowest {curve.rates[lowest]:.2g}"),
        ),
        is_log=True,
        highest=before + ROOM * (before - curve.smoothed[lowest]),
    )


def _some(curve: Curve) -> Table:
    """Show the loss at some of the rates, at the lowest loss, and where the suggestion lies among them.

    The suggestion is rounded and need not have been tried: then it has a row of its own.
    """
    last, lowest = len(curve.rates) - 1, _lowest(curve)
    full = max(*curve.smoothed[: lowest + 1], 1e-12)
    found: dict[float, tuple[Value, ...]] = {}
    for step in sorted({round(last * row / (ROWS - 1)) for row in range(ROWS)} | {lowest}):
        loss, smoothed = curve.losses[step], curve.smoothed[step]
        found[curve.rates[step]] = (loss, smoothed, smoothed / full, "lowest" if step == lowest else "")
    *cells, _ = found.get(curve.suggestion, ("", "", 0.0, ""))
    found[curve.suggestion] = (*cells, "suggestion")
    columns = (
        Column("", "loss", "short"), Column("", "smoothed", "short"), Column("", "", "bar"), Column("", ""),
    )  # fmt: skip
    rows = tuple(Row(f"{rate:.1e}", found[rate]) for rate in sorted(found))
    return Table(columns, rows, "training loss at a rising rate", head=Column("", "rate"), on="terminal")


def _lowest(curve: Curve) -> int:
    return curve.smoothed.index(min(curve.smoothed))
