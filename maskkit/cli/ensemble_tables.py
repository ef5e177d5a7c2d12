"""Tables of a blend: what was found, what it is worth, and how differently its members answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from maskkit.cli.tables import interval, new_table
from maskkit.cli.terminal import escape

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.scoring.diversity import Pair
    from maskkit.scoring.fitting import Fitted

MOST_PAIRS = 15  # --report has all


def fit_tables(found: Fitted) -> Iterator[Table | str]:
    """Show the weights, the scores, and what the blend gains."""
    from maskkit.scoring.fit_report import verdicts

    folds = f"{len(found.nested.rules)} folds of people"
    table = new_table(
        f"{found.rows:,} photos of {found.people:,} people; intervals of {found.confidence:.0%} over people",
        "", "macro-F1", "", "weight", "without each fold",
    )  # fmt: skip
    weights = found.rule.weights
    for place, name in enumerate(found.names):
        own = found.own[place]
        if weights is None:
            table.add_row(escape(name), interval(own), "alone", "per class", "")
            continue
        each = (_share(rule.weights, place) for rule in found.nested.rules)
        table.add_row(escape(name), interval(own), "alone", _share(weights, place), " ".join(each))
    table.add_section()
    table.add_row("the blend", f"{found.in_sample:.4f}", "of the people it was fitted to", "", "")
    table.add_row("the blend", interval(found.blend), f"fitted without them, by {folds}", "", "")
    table.add_row("the best member", interval(found.best), "chosen without them", "", "")
    table.add_row("all members alike", interval(found.equal), "", "", "")
    table.columns[2].justify = "left"
    yield table
    yield "\n".join(["", *verdicts(found)])
    if found.rule.stack is not None:
        yield f"inverse strength of the regularisation: {found.rule.stack.inverse_strength:g}"


def pair_table(found: Sequence[Pair], names: Sequence[str]) -> Table:
    """Show how differently each two members answer, the most alike first."""
    table = new_table(
        "members beside each other", "", "", "disagree", "both wrong", "Q",
    )  # fmt: skip
    table.columns[1].justify = "left"
    for one in sorted(found, key=lambda pair: pair.disagreement)[:MOST_PAIRS]:
        fault = "-" if one.double_fault is None else f"{one.double_fault:.4f}"
        q = "-" if one.q_statistic is None else f"{one.q_statistic:+.3f}"
        table.add_row(
            escape(names[one.first]), escape(names[one.second]), f"{one.disagreement:.4f}", fault, q
        )
    if len(found) > MOST_PAIRS:
        table.add_row(f"and {len(found) - MOST_PAIRS} pairs that differ more")
    return table


def _share(weights: Sequence[float] | None, place: int) -> str:
    return "-" if weights is None else f"{weights[place] / sum(weights):.2f}"
