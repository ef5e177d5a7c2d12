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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from maskkit.artifacts.header import Record
from maskkit.reporting.plots import BarChart, Chart
from maskkit.reporting.table import PLACES, Column, Note, Photo, Place, Table, Value

# Headers of the TSV: long has a row per cell, facts the same without intervals, and runs begins with the run;
# wide has each table for programs as it is, its columns' keys above.
Header = Literal["long", "facts", "runs", "wide"]


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
