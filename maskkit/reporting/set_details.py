"""The part of the report of `maskkit evaluate` about sets of classes and what silence brings."""

from __future__ import annotations

from collections.abc import Iterator

from maskkit.reporting.evaluation_details import COUNTS, interval_words
from maskkit.reporting.report import Item
from maskkit.reporting.table import Column, Note, Row, Table
from maskkit.scoring.set_scores import SetScore, SetScores

FEW_PEOPLE = 30  # of fewer, one person moves coverage by three points
COLUMNS = (
    Column("coverage", "coverage", "score", has_bar=True, is_main=True),
    Column("size", "set size", "decimal", 2),
    *COUNTS,
)


def sets_scored(found: SetScores | None, confidence: float) -> Iterator[Item]:
    """Show how often sets hold the truth, how large they are, and what is right where they are small."""
    if found is None:
        return
    of = {None: "the photos of new people", "class": "those of each class"}
    where = of.get(found.per, f"those of each level of {found.per}")
    how = Note(
        f"Sets were to hold the truth of {100 * found.promised:.4g} % of {where}; "
        f"{interval_words(confidence)} are over people, each of whom weighs the same. The prediction is "
        "always in"
    )
    rows = [_row(found.all, "all photos", name="all", scope="sets")]
    for factor, levels in found.levels.items():
        rows += [_row(one, one.name, scope=f"sets {factor}") for one in levels]
    yield Table(COLUMNS, tuple(rows), "sets of classes", head=Column("", "part"), notes=(how,))
    if len(found.factors) > 1:
        rows = [
            _row(one, one.name, scope=f"sets of {factor}")
            for factor, levels in found.factors.items()
            for one in levels
        ]
        yield Table(COLUMNS, tuple(rows), "sets of the levels of each factor", head=Column("", "part"))
    yield Table.of(
        found.classes, COLUMNS, title="sets of classes, by class", head=Column("", "class"),
        scope="sets class", at=("sets", "classes"), on="not on a terminal",
        marked=[one.people < FEW_PEOPLE for one in found.classes],
        mark=("rare", f"fewer than {FEW_PEOPLE} people"),
    )  # fmt: skip
    columns = (
        Column("left_out", "left out", "share"),
        Column("macro_f1", "macro-F1", "decimal", is_main=True),
        Column("accuracy", "accuracy", "decimal"),
    )
    yield Table.of(
        found.silences, columns, name="most", title="if photos with larger sets are left out (--abstain)",
        head=Column("most", "classes at most"), scope="sets at most", at=("sets", "silences"),
    )  # fmt: skip


def _row(one: SetScore, title: str, *, scope: str, name: str | None = None) -> Row:
    cells = (one.coverage, one.size, one.photos, one.people)
    return Row(title, cells, name=name, scope=scope, is_marked=False)
