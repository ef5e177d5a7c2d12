"""Tables of a blend: what was found, what it is worth, and how differently its members answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import interval, new_table

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.fitting.blend import Fitted
    from maskkit.fitting.blend_facts import MemberPair

MOST_PAIRS = 15  # --report has all


def fit_tables(found: Fitted) -> Iterator[Table | str]:
    """Show the weights, the scores, and what the blend gains."""
    from maskkit.fitting.blend_facts import verdicts

    table = new_table(
        f"{found.rows:,} photos of {found.people:,} people; intervals of {found.confidence:.0%} over people",
        "", "macro-F1", "weight", "in the folds",
    )  # fmt: skip
    for place, name in enumerate(found.names):
        table.add_row(escape(name), interval(found.own[place]), *_weights(found, place))
    table.add_section()
    table.add_row("blend, on people fitted to", f"{found.in_sample:.4f}{' ' * 15}", "", "")
    table.add_row("blend, on other people", interval(found.blend), "", "")
    table.add_row("best member, chosen likewise", interval(found.best), "", "")
    table.add_row("all members alike", interval(found.equal), "", "")
    yield table
    lines = ["", *verdicts(found)]
    lines.append(
        f"judged by {len(found.nested.rules)} folds of people, each by what was fitted to the others"
    )
    if found.rule.stack is not None:
        lines.append(f"inverse strength of the regularisation: {found.rule.stack.inverse_strength:g}")
    yield "\n".join(lines)


def pair_table(found: Sequence[MemberPair], names: Sequence[str]) -> Table:
    """Show how differently each two members answer, the most alike first."""
    table = new_table("members beside each other", "", "", "disagree", "both wrong", "Q")
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


def _weights(found: Fitted, place: int) -> tuple[str, str]:
    """Return a member's weight, and the smallest and largest it has in the folds."""
    if found.rule.weights is None:
        return "per class", ""
    shares = [rule.weights[place] / sum(rule.weights) for rule in found.nested.rules if rule.weights]
    weight = found.rule.weights[place] / sum(found.rule.weights)
    return f"{weight:.2f}", f"{min(shares):.2f}-{max(shares):.2f}"
