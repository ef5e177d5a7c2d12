"""Reports of what was fitted to predictions: the weights of a blend and what it gains, and tuned offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskkit.fitting.blend import Fitted, MemberPair, verdicts
from maskkit.reporting.report import Report, Section
from maskkit.reporting.table import Column, Note, Row, Table, Value
from maskkit.scoring.results import Estimate

if TYPE_CHECKING:  # a vote need not load SciPy
    from maskkit.fitting.gain import Tuned


def blend_report(
    found: Fitted | None,
    pairs: Sequence[MemberPair] | None,
    agreement: NDArray[np.float64],
    names: Sequence[str],
    summary: str,
) -> Report:
    """Lay out what a blend is worth if a rule was fitted, and how differently its members answer.

    `pairs` compare the members by the truth, if it is known; `agreement` is the share of photos on which two
    answer alike, (members, members); `summary` says what was blended, and how.
    """
    items: list[Table | Note] = []
    if found is not None:
        folds = f"judged by {len(found.nested.rules)} folds of people, each by what was fitted to the others"
        lines = [*verdicts(found), folds]
        if found.rule.stack is not None:
            lines.append(f"inverse strength of the regularisation: {found.rule.stack.inverse_strength:g}")
        items += [_fitted(found), Note("\n".join(lines))]
    beside = pairs if found is None else found.pairs
    if beside:
        items.append(_pairs(beside, found.names if found else names))
    elif beside is None and len(names) > 1:
        columns = tuple(Column("", str(place), "decimal", digits=4) for place in range(1, len(names) + 1))
        shares = zip(names, agreement.tolist(), strict=True)
        rows = tuple(Row(f"{place} {name}", tuple(row)) for place, (name, row) in enumerate(shares, 1))
        items.append(Table(columns, rows, "predicted alike", head=Column("", "file"), on="terminal"))
    return Report("", None, (Section("", tuple(items)),), verdict=(Note(summary),))


def _fitted(found: Fitted) -> Table:
    """Show the weights and the scores."""
    columns = (
        Column("", "macro-F1", "score", digits=4),
        Column("", "weight", "decimal", digits=2),
        Column("", "in the folds"),
    )
    blends = {
        "blend, on people fitted to": Estimate(found.in_sample, None, None),
        "blend, on other people": found.blend,
        "best member, chosen likewise": found.best,
        "all members alike": found.equal,
    }
    rows = [Row(name, (found.own[place], *_weights(found, place))) for place, name in enumerate(found.names)]
    rows += [Row(name, (score, "", ""), is_foot=True) for name, score in blends.items()]
    title = (
        f"{found.photos:,} photos of {found.people:,} people; intervals of {found.confidence:.0%} over people"
    )
    return Table(columns, tuple(rows), title, head=Column("", ""), on="terminal")


def _weights(found: Fitted, place: int) -> tuple[Value, Value]:
    """Return a member's weight, and the smallest and largest it has in the folds."""
    if found.rule.weights is None:
        return "", "per class"
    shares = [rule.weights[place] / sum(rule.weights) for rule in found.nested.rules if rule.weights]
    weight = found.rule.weights[place] / sum(found.rule.weights)
    return weight, f"{min(shares):.2f}-{max(shares):.2f}"


def _pairs(pairs: Sequence[MemberPair], names: Sequence[str]) -> Table:
    """Show how differently each two members answer, the most alike first."""
    columns = (
        Column("", ""),
        Column("", "disagree", "decimal", digits=4),
        Column("", "both wrong", "decimal", digits=4),
        Column("", "Q", "signed"),
    )
    rows = tuple(
        Row(names[one.first], (names[one.second], one.disagreement, one.double_fault, one.q_statistic))
        for one in sorted(pairs, key=lambda pair: pair.disagreement)
    )
    return Table(
        columns, rows, "members beside each other", head=Column("", ""), on="terminal", most_shown=15,
        rest="which differ more: --report has all",
    )  # fmt: skip


def tuning_report(tuned: Tuned) -> Report:
    """Lay out the offsets, and the measures with and without them."""
    tables = []
    if tuned.offsets:
        title = f"offset, and those tuned on {tuned.parts - 1} of {tuned.parts} parts"
        rows = (Row(one.name, (Estimate(one.value, one.low, one.high),)) for one in tuned.offsets)
        tables.append(
            Table(
                (Column("", title, "difference"),), tuple(rows), "offsets of log probabilities",
                head=Column("", ""), on="terminal",
            )
        )  # fmt: skip
    columns = (
        Column("plain", "plain", "decimal", digits=4),
        Column("in_sample", "own people", "decimal", digits=4),
        Column("nested", "other people", "decimal", digits=4, is_main=True),
        Column("gain", "gain on other people", "difference", digits=4),
    )
    temperature = f"temperature {tuned.decision.temperature:.3f}"
    tables.append(
        Table.of(
            tuned.changes, columns, name="title", title=f"{tuned.photos:,} photos of {tuned.people:,} people",
            head=Column("", ""), notes=() if tuned.offsets else (Note(temperature),), on="terminal",
        )
    )  # fmt: skip
    return Report("", None, (Section("", tuple(tables)),), verdict=(Note(tuned.sentence),))
