"""The HTML page of `maskkit lr-find`: the loss at rising learning rates, and the rate that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maskkit.reporting.old_pages import render
from maskkit.reporting.plots import Chart, Mark, PlotLine, draw

ROOM = (
    0.25  # above the highest loss before the lowest, as a share of the fall: what blows up is not worth more
)


def rates_page(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    *,
    suggestion: float,
    rule: str,
    stopped: str,
    recipe: str,
    title: str,
    facts: Mapping[str, str],
    history: str,
) -> str:
    """Return the page as HTML.

    Args:
        rates: Of each step, rising.
        losses: Before each step.
        smoothed: Their moving average.
        suggestion: The rate to train with.
        rule: How it follows from the losses.
        stopped: Why there are no more of them.
        recipe: What to paste.
        title: Title of the page.
        facts: What was tested, in the order to show.
        history: The commands that made it, one per line; empty if unknown.
    """
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    before = max(*losses[: lowest + 1], *smoothed[: lowest + 1])
    chart = Chart(
        "Training loss at a rising rate",
        "learning rate of the backbone",
        (PlotLine("smoothed", rates, smoothed), PlotLine("of each batch", rates, losses, is_faint=True)),
        marks=(Mark(suggestion, f"suggested {suggestion:g}", is_low=True), Mark(rates[lowest], "lowest")),
        is_log=True,
        highest=before + ROOM * (before - smoothed[lowest]),
    )
    return render(
        "rates.html", title=title, facts=facts, history=history, suggestion=suggestion, rule=rule,
        stopped=stopped, recipe=recipe, drawing=draw(chart),
    )  # fmt: skip
