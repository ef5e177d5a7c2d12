"""Tables of typed cells, and notes: what a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

from maskkit.scoring.results import Estimate, FoldSpread

Place = Literal["terminal", "tsv", "page"]
Audience = Literal[
    "everywhere", "people", "terminal", "page", "programs", "not on a page", "not on a terminal"
]
PLACES: dict[Audience, tuple[Place, ...]] = {
    "everywhere": ("terminal", "tsv", "page"),
    "people": ("terminal", "page"),
    "terminal": ("terminal",),
    "page": ("page",),
    "programs": ("tsv",),
    "not on a page": ("terminal", "tsv"),
    "not on a terminal": ("tsv", "page"),
}

Kind = Literal[
    "text",  # str
    "tag",  # str of few letters, such as a severity
    "flag",  # bool
    "count",  # int
    "total",  # int, of a row
    "share",  # float from 0 to 1, in per cent
    "decimal",  # float, with `digits` decimals
    "signed",  # the same with its sign
    "short",  # float in about four digits
    "plain",  # float in as many digits as it has
    "chance",  # float, a p-value
    "score",  # Estimate
    "difference",  # Estimate of a difference
    "spread",  # FoldSpread: mean and standard deviation
    "pair",  # two ints, such as people and photos
    "bar",  # float from 0 to 1, drawn and not written
    "spark",  # counts of a histogram, drawn in one line
]
LEFT = ("text", "tag", "bar", "spark")  # kinds that are not set to the right, as numbers are

# A page may show a table as a heat map, or as one card per row with its photos; facts are a few figures. An
# album is cards that other tables open, put away by their rows' groups.
Look = Literal["table", "heat", "cards", "facts", "album"]
FEW_ROWS = 12  # that are looked through without a filter
MOST_MARKED = 1 / 3  # of the rows, that bear a mark
Value = str | int | float | bool | None | Estimate | FoldSpread | tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """What one column of a table holds."""

    key: str  # the measure in TSV; empty if the column is for people alone
    title: str
    kind: Kind = "text"
    digits: int | None = None  # None for 1 of a percentage and 3 of others
    field: str = ""  # attribute, or key in JSON, that holds the value, if it is not the key's; dots go deeper
    scope: str = ""  # in TSV, if it is not the table's
    name: str = ""  # in TSV, if it is not the row's
    has_bar: bool = False  # of a share, a score, or a count's part of the largest; on a terminal if it fits
    is_main: bool = False  # what a reader looks for
    wraps: bool = False
    is_choice: bool = False  # a page offers its values, to show the rows of one alone
    is_shared: bool = False  # a page offers to put rows together that have the same, such as a person
    on: Audience = "everywhere"

    @property
    def places(self) -> int:
        """How many decimals there are."""
        return self.digits if self.digits is not None else 1 if self.kind == "share" else 3

    @property
    def is_drawn(self) -> bool:
        """Whether a page draws its values too."""
        return self.has_bar or self.kind in ("bar", "difference")

    @property
    def is_left(self) -> bool:
        """Whether it begins at the left."""
        return self.kind in LEFT


@dataclass(frozen=True)
class Photo:
    """A picture in a page: a data URI, or None if the photo cannot be read, and what is said below it."""

    path: str
    uri: str | None
    label: str = ""


@dataclass(frozen=True)
class Opening:
    """The photos behind a cell, which a page opens."""

    title: str  # whose photos they are, and how many of how many
    rows: tuple[int, ...]  # of the report's album, at least one


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    title: str  # before its cells
    cells: tuple[Value, ...]  # one per column
    name: str | None = None  # in TSV, if it is not the title
    scope: str = ""  # in TSV, if it is not the table's
    measure: str = ""  # in TSV, if it is not the column's key
    group: str = ""  # title of the rows it belongs with, shown above the first of them
    is_marked: bool = False  # by the table's mark, behind the title
    is_foot: bool = False  # sums up the others
    photos: tuple[Photo, ...] = ()  # shown with it in a page
    openings: Mapping[int, Opening] = field(default_factory=dict)  # by the place of the cell


@dataclass(frozen=True)
class Note:
    """A sentence, without a full stop at its end.

    Noise is what must not be read off; a warning is what every reader has to know; a verdict sums up; code is
    to be copied.
    """

    text: str
    kind: Literal["note", "noise", "warning", "verdict", "code"] = "note"
    lead: str = ""  # in bold before it
    key: str = ""  # the measure in TSV; empty if the note is for people alone
    scope: str = ""  # in TSV, if it is not the table's
    name: str = ""
    on: Audience = "people"


def page_note(text: str, *, lead: str = "") -> Note:
    """Return a note that a page alone has room for."""
    return Note(text, lead=lead, on="page")


PRIVATE = Note(
    "Real people may be on these photos: do not publish this page unless they agree", "noise", on="page"
)


@dataclass(frozen=True)
class Table:
    """Rows of typed cells."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""  # a terminal shows the section's if there is none
    head: Column = Column("name", "")  # of the rows' titles; its key is for wide TSV
    scope: str = ""  # in TSV
    look: Look = "table"
    notes: tuple[Note, ...] = ()  # below it
    mark: tuple[str, str] = ("", "")  # a word behind the titles of marked rows, and what it means
    most_shown: int = 0  # rows on a terminal; 0 for all; programs get all of them
    most_on_page: int = 0
    rest: str = "in the JSON output"  # where the others are
    at: tuple[str | int, ...] = ()  # where its records are in the JSON, one per row, if they are in one place
    on: Audience = "everywhere"

    @classmethod
    def of(
        cls,
        records: Sequence[object],
        columns: Sequence[Column],
        *,
        name: str = "name",
        marked: Sequence[bool] = (),
        **rest: Any,
    ) -> Table:
        """Make a row of each record: its title is the attribute `name`, its cells those of the columns."""
        marks = marked or [False] * len(records)
        rows = tuple(
            Row(
                str(attribute(one, name)) if name else "",
                tuple(attribute(one, column.field or column.key) for column in columns),
                is_marked=mark,
            )
            for one, mark in zip(records, marks, strict=True)
        )
        return cls(tuple(columns), rows, **rest)

    @property
    def has_marks(self) -> bool:
        """Whether marked rows bear the mark: one that most rows bear would stand out of nothing."""
        count = sum(row.is_marked for row in self.rows)
        return 0 < count <= MOST_MARKED * len(self.rows)

    @property
    def mark_note(self) -> str:
        """Say what the mark means, and how many rows it is about if they do not bear it; nothing if none."""
        count = sum(row.is_marked for row in self.rows)
        if not count or self.has_marks:
            return self.mark[1] if count else ""
        return f"{count} of {len(self.rows)} have {self.mark[1]}"

    def shown(self, place: Place) -> tuple[Row, ...]:
        """Return the rows that are shown there."""
        most = {"terminal": self.most_shown, "page": self.most_on_page}.get(place, 0)
        return self.rows[: most or len(self.rows)]

    def more(self, place: Place) -> str:
        """Say how many rows are not shown there; nothing if all are."""
        count = len(self.rows) - len(self.shown(place))
        return f"and {count:,} more, {self.rest}" if count else ""

    def columns_on(self, place: Place) -> list[tuple[int, Column]]:
        """Return the columns that are shown there, and their places in a row's cells.

        People are not shown a column in which nothing is said.
        """
        return [
            (at, column)
            for at, column in enumerate(self.columns)
            if place in PLACES[column.on]
            and (place == "tsv" or any(row.cells[at] != "" for row in self.rows))
        ]

    def bar(self, row: Row, at: int) -> float:
        """Return how far the bar of a cell reaches, from 0 to 1."""
        value = row.cells[at]
        if self.columns[at].kind == "count":
            most = max([1.0, *(_number(one.cells[at]) for one in self.rows if not one.is_foot)])
            value = 0.0 if row.is_foot else _number(value) / most
        return min(1.0, max(0.0, _number(value)))

    def number(self, row: Row, at: int) -> float | None:
        """Return what a page sorts a cell by, None if it is no number or is undefined."""
        value = row.cells[at]
        if isinstance(value, Estimate | FoldSpread):
            value = value.value if isinstance(value, Estimate) else value.mean
        value = value[0] if isinstance(value, tuple) else value
        return float(value) if isinstance(value, int | float) else None

    def is_long(self, place: Place) -> bool:
        """Whether so many rows are shown there that a filter helps."""
        return len(self.shown(place)) > FEW_ROWS

    def declaring(self, what: Literal["is_choice", "is_shared"]) -> list[tuple[int, str]]:
        """Return the places and titles of the columns that are so, -1 for the head."""
        columns = [(-1, self.head), *enumerate(self.columns)]
        return [(at, one.title) for at, one in columns if getattr(one, what)]

    def heat(self, row: Row, at: int) -> tuple[float, bool]:
        """Return the share that colours a cell of a heat map, and whether it counts what is right.

        A count's share is that of its row, and right is the column of the row's name; a pair's share is
        the first number's part of the largest.
        """
        value = row.cells[at]
        if isinstance(value, tuple):
            largest = max(one[0] for each in self.rows for one in each.cells if isinstance(one, tuple))
            return value[0] / max(1, largest), True
        cells = zip(self.columns, row.cells, strict=True)
        total = sum(_number(one) for column, one in cells if column.kind == "count")
        return _number(value) / max(1.0, total), self.columns[at].title == row.title


def attribute(record: object, path: str) -> Any:
    """Return what a record has under a name, or a place in a sequence; dots go deeper."""
    return reduce(_part, path.split("."), record)


def _part(record: Any, name: str) -> Any:
    if isinstance(record, Mapping):
        return record[name]
    return record[int(name)] if isinstance(record, list | tuple) else getattr(record, name)


def _number(value: Value) -> float:
    value = value.value if isinstance(value, Estimate) else value
    return float(value) if isinstance(value, int | float) else 0.0
