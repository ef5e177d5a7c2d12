"""The photos behind the numbers of an evaluation: an album, and what of it each cell opens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from maskkit.reporting.table import PRIVATE, Column, Note, Opening, Photo, Row, Table, Value, page_note
from maskkit.scoring.shown_photos import MOST_RIGHT, ShownPhoto

Levels = tuple[str, ...]

ARROW = "\N{RIGHTWARDS ARROW}"
COLUMNS = (
    Column("", "truth", is_choice=True),
    Column("", "prediction", is_choice=True),
    Column("", "confidence", "decimal", is_main=True),
    Column("", "truth probability", "decimal"),
    Column("", "person", is_main=True, is_shared=True),
    Column("", "fold"),
)
MISTAKES = Column("", "mistakes", "count", on="page")


@dataclass(frozen=True)
class PhotoAlbum:
    """Photos to open; without any, tables stay as they are."""

    shown: Sequence[ShownPhoto] = ()
    uris: Mapping[str, str | None] = field(default_factory=dict)  # their pictures, by path

    def behind_matrix(self, table: Table, name: Callable[[Levels], str] = "/".join) -> Table:
        """Return a heat map whose cells open their photos, of classes or of what `name` makes of levels."""
        places = self._by_cell(name)
        rows = []
        for row in table.rows:
            cells = enumerate(zip(table.columns, row.cells, strict=True))
            pairs = {at: (row.title, column.title, count) for at, (column, count) in cells}
            rows.append(replace(row, openings=_openings(pairs, places)))
        return replace(table, rows=tuple(rows))

    def behind_mistakes(self, table: Table) -> Table:
        """Return a table of a truth, its prediction and a count, which opens its photos."""
        places = self._by_cell("/".join)
        rows = (
            replace(row, openings=_openings({1: (row.title, str(row.cells[0]), row.cells[1])}, places))
            for row in table.rows
        )
        return replace(table, rows=tuple(rows))

    def with_mistakes(
        self, table: Table, counts: Sequence[Value], is_of: Callable[[ShownPhoto, str], bool]
    ) -> Table:
        """Return a table with the mistakes of each row, which open their photos.

        `is_of` says whether a photo is a mistake of the row of a title.
        """
        if not self.shown:
            return table
        rows = []
        for row, count in zip(table.rows, counts, strict=True):
            found = tuple(place for place, one in enumerate(self.shown) if is_of(one, row.title))
            title = f"{table.title or table.head.title} {row.title}: {len(found)} of {count} mistakes"
            openings = {len(row.cells): Opening(title, found)} if found else {}
            rows.append(replace(row, cells=(*row.cells, count), openings=openings))
        return replace(table, columns=(*table.columns, MISTAKES), rows=tuple(rows))

    def items(self, mistakes: int) -> Iterator[Note | Table]:
        """Show the album, of so many mistakes."""
        if not self.shown:
            return
        wrong = sum(not one.is_right for one in self.shown)
        yield page_note(
            f"Cells above open these: {wrong:,} of {mistakes:,} mistakes, the worst of each cell of the "
            f"confusion matrix, and at most {MOST_RIGHT} right predictions of each class, the least sure"
        )
        yield PRIVATE
        sizes = {cell: len(places) for cell, places in self._by_cell("/".join).items()}
        rows = []
        for one in self.shown:
            truth, answer = "/".join(one.truth), "/".join(one.answer)
            number = sizes[truth, answer]
            group = f"{truth} {ARROW} {answer}: {number} {'photo' if number == 1 else 'photos'}"
            cells = (truth, answer, one.confidence, one.truth_probability, one.person, one.fold)
            photo = Photo(one.path, self.uris.get(one.path))
            rows.append(Row(one.path, cells, group=group, photos=(photo,)))
        yield Table(COLUMNS, tuple(rows), head=Column("", "photo"), look="album", on="page")

    def _by_cell(self, name: Callable[[Levels], str]) -> Mapping[tuple[str, str], list[int]]:
        places = defaultdict(list)
        for place, one in enumerate(self.shown):
            places[name(one.truth), name(one.answer)].append(place)
        return places


def _openings(
    cells: Mapping[int, tuple[str, str, Value]], places: Mapping[tuple[str, str], list[int]]
) -> dict[int, Opening]:
    """Return what cells of a truth, a prediction and a count open, by their place."""
    found = {}
    for at, (truth, answer, count) in cells.items():
        if here := places.get((truth, answer)):
            title = f"{truth} {ARROW} {answer}: {len(here):,} of {count:,} photos"
            found[at] = Opening(title, tuple(here))
    return found
