"""A report: what a command found, laid out once, whatever it is then shown in.

A builder, such as `comparison_report`, turns a result into a `Report`: it alone holds the words, the titles,
and what stands where. The renderers know no result: `cli/shell/show_report.py` shows any report on a
terminal, as TSV and as JSON, and `html.py` as a page. To write a builder:

- `Table.of(records, columns)` takes cells from the attributes of records; else give `Row`s and their cells.
- A value is given as it was found, and written by its column's kind. None is undefined (a dash); "" is
  nothing to say (blank, and no row of TSV).
- A row of the long TSV is one cell: scope, name and measure are the table's scope, the row's name and the
  column's key, unless row or column say otherwise. A column without a key is for people alone.
- `on` says where a note, a table or a column is shown: EVERYWHERE, PEOPLE, PAGE, TERMINAL or PROGRAMS.
- `Report.data` is the JSON; `Table.at` is where the records of a table are in it, and `Column.field` where
  their cells are, so that a test can hold them against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

from maskkit.reporting.plots import BarChart, Chart, HeatMap
from maskkit.scoring.results import Estimate, FoldSpread

Place = Literal["terminal", "tsv", "page"]
EVERYWHERE: tuple[Place, ...] = ("terminal", "tsv", "page")
PEOPLE: tuple[Place, ...] = ("terminal", "page")
TERMINAL: tuple[Place, ...] = ("terminal",)
PAGE: tuple[Place, ...] = ("page",)
PROGRAMS: tuple[Place, ...] = ("tsv",)

LONG = ("scope", "name", "measure", "value", "low", "high")
FACTS = ("scope", "name", "measure", "value")
RUNS = ("run", "scope", "measure", "value", "low", "high")
WIDE: tuple[str, ...] = ()  # each table for programs as it is, its columns' keys above

Kind = Literal[
    "text",  # str
    "tag",  # str of few letters, such as a severity
    "flag",  # bool
    "count",  # int
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

Value = str | int | float | bool | None | Estimate | FoldSpread | tuple[int, ...]


@dataclass(frozen=True)
class Column:
    """What one column of a table holds.

    Args:
        key: The measure in TSV; empty if the column is for people alone.
        title: Above it.
        kind: How its values are written.
        digits: Decimals, where the kind has them; None for 1 of a percentage and 3 of others.
        field: Attribute, or key in JSON, that holds the value, if it is not the key's; dots go deeper.
        scope, name: The scope and the name of its cells in TSV, if they are not those of table and row.
        has_bar: Whether a bar is drawn beside the value, of a share or a score, or of a count's part of the
            largest; a terminal draws it where there is room.
        is_main: Whether it is what a reader looks for; set in bold.
        wraps: Whether long values go on in the next line.
        on: Where it is shown.
    """

    key: str
    title: str
    kind: Kind = "text"
    digits: int | None = None
    field: str = ""
    scope: str = ""
    name: str = ""
    has_bar: bool = False
    is_main: bool = False
    wraps: bool = False
    on: tuple[Place, ...] = EVERYWHERE

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
    """One row of a table.

    Args:
        title: What stands before its cells.
        cells: A value per column.
        name: Its name in TSV; None for its title.
        scope, measure: Of its cells in TSV, if they are not those of table and column.
        group: Title of the rows it belongs with, shown above the first of them.
        is_marked: Whether the table's mark is set behind its title.
        is_foot: Whether it sums up the others.
        photos: Shown with it in a page.
    """

    title: str
    cells: tuple[Value, ...]
    name: str | None = None
    scope: str = ""
    measure: str = ""
    group: str = ""
    is_marked: bool = False
    is_foot: bool = False
    photos: tuple[Photo, ...] = ()


@dataclass(frozen=True)
class Note:
    """A sentence.

    Args:
        text: What is said; a page ends it with a full stop.
        kind: A plain note; noise, what must not be read off; a warning, which every reader has to know; a
            verdict, which sums up; code, to be copied.
        lead: What a page sets in bold before it.
        key: The measure in TSV; empty if the note is for people alone.
        scope, name: In TSV, if not those of its table.
        on: Where it is shown.
    """

    text: str
    kind: Literal["note", "noise", "warning", "verdict", "code"] = "note"
    lead: str = ""
    key: str = ""
    scope: str = ""
    name: str = ""
    on: tuple[Place, ...] = PEOPLE


def page_note(text: str, *, lead: str = "") -> Note:
    """Return a note that a page alone has room for."""
    return Note(text, lead=lead, on=PAGE)


PRIVATE = Note(
    "Real people may be on these photos: do not publish this page unless they agree", "noise", on=PAGE
)


@dataclass(frozen=True)
class Table:
    """Rows of typed cells.

    Args:
        columns: What they hold.
        rows: In the order to show.
        title: Above the table; a terminal shows the section's if there is none.
        head: The column of the rows' titles; its key is for wide TSV.
        scope: Of its cells in TSV.
        look: A table; facts, a few figures side by side; cards, one per row with its photos.
        notes: Below it.
        mark: A word set behind the titles of marked rows, and what it means.
        most_shown, most_on_page: How many rows are shown; 0 for all. Programs get all of them.
        rest: Where the others are.
        at: Where its records are in the JSON, one per row; empty if they are not in one place.
        on: Where it is shown.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""
    head: Column = Column("name", "")
    scope: str = ""
    look: Literal["table", "facts", "cards"] = "table"
    notes: tuple[Note, ...] = ()
    mark: tuple[str, str] = ("", "")
    most_shown: int = 0
    most_on_page: int = 0
    rest: str = "in the JSON output"
    at: tuple[str | int, ...] = ()
    on: tuple[Place, ...] = EVERYWHERE

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
            if place in column.on and (place == "tsv" or any(row.cells[at] != "" for row in self.rows))
        ]

    def bar(self, row: Row, at: int) -> float:
        """Return how far the bar of a cell reaches, from 0 to 1."""
        value = row.cells[at]
        if self.columns[at].kind == "count":
            most = max([1.0, *(_number(one.cells[at]) for one in self.rows if not one.is_foot)])
            value = 0.0 if row.is_foot else _number(value) / most
        return min(1.0, max(0.0, _number(value)))


@dataclass(frozen=True)
class PhotoSheet:
    """Photos beside each other, in a page."""

    title: str
    photos: tuple[Photo, ...]


Item = Note | Table | Chart | BarChart | HeatMap | PhotoSheet


@dataclass(frozen=True)
class Section:
    """Part of a report.

    Args:
        title: Its heading; a page's table of contents has it. Empty for what stands before all headings.
        items: In the order to show; those of a tuple stand side by side in a page that is wide enough.
        is_brief: Whether it is shown on standard error too where programs read standard output.
    """

    title: str
    items: tuple[Item | tuple[Item, ...], ...]
    is_brief: bool = False

    def on(self, place: Place) -> Iterator[Item]:
        """Yield what is shown there, one by one."""
        for item in self.items:
            yield from (one for one in (item if isinstance(item, tuple) else (item,)) if is_on(one, place))


@dataclass(frozen=True)
class Report:
    """What a command found, ready to be shown.

    Args:
        title: Of the page.
        data: What JSON has.
        sections: In the order to show.
        warnings: What every reader has to know, before anything else.
        verdict: What it comes to: first in a page, last on a terminal.
        scores: Named figures that a page shows large, the first the largest, and how they are written.
        facts: What the report is about, such as names of files; in the head of a page.
        history: The commands that made it, one per line; empty if unknown.
        header: Of the TSV: LONG, FACTS, RUNS or WIDE.
    """

    title: str
    data: Any
    sections: tuple[Section, ...]
    warnings: tuple[Note, ...] = ()
    verdict: tuple[Note, ...] = ()
    scores: tuple[tuple[str, Value, Column], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    history: str = ""
    header: tuple[str, ...] = LONG


def is_on(item: Item, place: Place) -> bool:
    """Whether something is shown there: a note in TSV if it has a key, most figures in a page alone."""
    if isinstance(item, Note) and place == "tsv":
        return bool(item.key)
    return place in (item.on if isinstance(item, Note | Table | HeatMap) else PAGE)


def attribute(record: object, path: str) -> Any:
    """Return what a record has under a name; dots go deeper."""
    return reduce(
        lambda one, name: one[name] if isinstance(one, Mapping) else getattr(one, name),
        path.split("."),
        record,
    )


def written(value: Value, column: Column) -> tuple[str, str]:
    """Write a value, and, of an estimate, its interval; an undefined one as a dash."""
    if value == "" or column.kind == "bar":
        return "", ""
    if isinstance(value, Estimate) and column.kind not in ("score", "difference"):
        value = value.value  # its interval has no room
    if isinstance(value, Estimate):
        signed = column.kind == "difference"
        if value.low is None or value.high is None:
            return decimal(value.value, column.places, signed=signed), ""
        low, high = (decimal(end, column.places, signed=signed) for end in (value.low, value.high))
        return decimal(value.value, column.places, signed=signed), f"{low}{' to ' if signed else '-'}{high}"
    if isinstance(value, FoldSpread):
        ends = "" if value.deviation is None else f"± {decimal(value.deviation, column.places)}"
        return decimal(value.mean, column.places), ends
    if value is None:
        return "-", ""
    write = _WRITE.get(column.kind)
    return (str(value) if write is None else write(value, column.places)), ""


_WRITE: dict[Kind, Callable[[Any, int], str]] = {
    "count": lambda value, _: f"{value:,}",
    "flag": lambda value, _: "yes" if value else "no",
    "share": lambda value, digits: percent(value, digits=digits),
    "decimal": lambda value, digits: decimal(value, digits=digits),
    "signed": lambda value, digits: decimal(value, digits, signed=True),
    "short": lambda value, _: short(value),
    "chance": lambda value, _: f"{value:.4f}" if value >= 0.0001 else "< 0.0001",
    "plain": lambda value, _: f"{value:g}",
    "pair": lambda value, _: f"{value[0]:,}/{value[1]:,}",
    "spark": lambda value, _: spark(value),
}


def decimal(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """Write a measure, an undefined one as a dash, and none as -0.000."""
    if value is None:
        return "-"
    sign = "+" if signed and round(value, digits) else ""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def percent(share: float, digits: int = 1) -> str:
    """Write a share in per cent, and never 0 or 100 for what is only nearly so."""
    text = f"{share:.{digits}%}"
    if share > 0 and float(text[:-1]) == 0:
        return f"<{10.0**-digits:.{digits}f}%"
    return f">{100 - 10.0**-digits:.{digits}f}%" if share < 1 and float(text[:-1]) == 100 else text


def short(value: float) -> str:
    """Write a number in about four digits."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def spark(counts: Sequence[int], width: int = 12) -> str:
    """Draw a histogram in `width` characters or fewer."""
    per = -(-len(counts) // width)
    joined = [sum(counts[start : start + per]) for start in range(0, len(counts), per)]
    most = max(1, *joined)
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * count // most)] for count in joined)


def _number(value: Value) -> float:
    value = value.value if isinstance(value, Estimate) else value
    return float(value) if isinstance(value, int | float) else 0.0
