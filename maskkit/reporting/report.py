"""A report: what a command found, laid out once, whatever it is then shown in.

A builder, such as `comparison_report`, turns a result into a `Report`: it alone holds the words, the titles,
and what stands where. The renderers know no result: `cli/shell/show_report.py` shows any report on a
terminal, as TSV and as JSON, and `html.py` as a page. To write a builder:

- `Table.of(records, columns)` takes cells from the attributes of records; else give `Row`s and their cells.
- A value is given as it was found, and written by its column's kind. None is undefined (a dash); "" is
  nothing to say (blank, and no row of TSV).
- A row of the long TSV is one cell: scope, name and measure are the table's scope, the row's name and the
  column's key, unless row or column say otherwise. A column without a key is for people alone.
- `on` says where a note, a table or a column is shown, an `Audience`.
- `Report.data` is the JSON; `Table.at` is where the records of a table are in it, and `Column.field` where
  their cells are, so that a test can hold them against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

from maskkit.artifacts.header import Record
from maskkit.reporting.plots import BarChart, Chart
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
# Headers of the TSV: long has a row per cell, facts the same without intervals, and runs begins with the run;
# wide has each table for programs as it is, its columns' keys above.
Header = Literal["long", "facts", "runs", "wide"]

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

# A page may show a table as a heat map, or as one card per row with its photos; facts are a few figures.
Look = Literal["table", "heat", "cards", "facts"]
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


@dataclass(frozen=True)
class PhotoSheet:
    """Photos beside each other, in a page."""

    title: str
    photos: tuple[Photo, ...]


Item = Note | Table | Chart | BarChart | PhotoSheet
Items = Item | tuple[Item, ...]  # of which a page that is wide enough shows those of a tuple side by side


@dataclass(frozen=True)
class Section:
    """Part of a report."""

    title: str  # also in a page's table of contents; empty for what stands before all headings
    items: tuple[Items, ...]
    is_brief: bool = False  # shown on standard error too where programs read standard output

    def on(self, place: Place) -> Iterator[Item]:
        """Yield what is shown there, one by one."""
        for item in self.items:
            yield from (one for one in (item if isinstance(item, tuple) else (item,)) if is_on(one, place))


@dataclass(frozen=True)
class Report:
    """What a command found, ready to be shown."""

    title: str  # of the page
    data: Any  # the JSON
    sections: tuple[Section, ...]
    warnings: tuple[Note, ...] = ()  # before anything else
    verdict: tuple[Note, ...] = ()  # what it comes to: first in a page, last on a terminal
    scores: tuple[tuple[str, Value, Column], ...] = ()  # large in a page, the first the largest
    facts: Mapping[str, str] = field(default_factory=dict)  # in the head of a page, such as names of files
    history: str = ""  # the commands that made it, one per line, if they are known
    header: Header = "long"
    record: Record | None = None  # of the run that made it, by which its page is known again


def is_on(item: Item, place: Place) -> bool:
    """Whether something is shown there: a note in TSV if it has a key, figures in a page alone."""
    if isinstance(item, Note) and place == "tsv":
        return bool(item.key)
    return place in PLACES[item.on if isinstance(item, Note | Table) else "page"]


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
