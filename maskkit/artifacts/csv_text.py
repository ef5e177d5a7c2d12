"""Every CSV that is read: from bytes to text, to a header, to columns.

Arrow reads what is regular, fast and within memory; the rest is read row by row, as spreadsheets and pandas
mean it: commas at the end of lines, short lines, spaces behind a comma. What is neither is an error that
names the line. The checks of a table of 120 MB take a hundredth of a second.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa

from maskkit.artifacts.csv_header import (
    BLOCK,
    checked_text,
    header_of,
    refuse_repeated,
    said,
    unreadable,
    utf8_of,
)
from maskkit.artifacts.files import Source

log = logging.getLogger(__name__)

MOST_COLUMNS = 10_000
LONGEST_FIELD = csv.field_size_limit()  # characters, as the csv module has it
ROWS = 50_000  # of Python's texts at a time, which take several times the memory of Arrow's
INDEX = re.compile(r"(Unnamed: [0-9]+(_level_[0-9]+)?(\.[0-9]+)?)?")  # pandas' names of a column without one
WHOLE = r"^(0|[1-9][0-9]*)(\.0)?$"


@dataclass(frozen=True)
class CsvText:
    """A CSV of which the header has been read."""

    title: str  # for error texts
    data: pa.Buffer  # in UTF-8, without a mark
    names: tuple[str, ...]  # of the columns, without spaces around them; empty where a column has none
    delimiter: str
    start: int  # the byte at which the rows begin
    has_quotes: bool  # among the rows
    has_returns: bool  # carriage returns, anywhere

    @classmethod
    def of(cls, source: Source) -> CsvText:
        """Find the encoding, the delimiter and the header of a CSV.

        Raises:
            MaskkitError: It is no text or in another encoding, has no header, two columns of one name, or
                more of them than anybody writes.
        """
        data = utf8_of(source)
        last_quote, has_returns = checked_text(data, source.title)
        names, delimiter, start = header_of(data, source.title)
        if len(names) > MOST_COLUMNS:
            raise unreadable(
                source.title, f"it has {len(names):,} columns, and {MOST_COLUMNS:,} at most are read"
            )
        refuse_repeated([name for name in names if name], source.title)
        return cls(source.title, data, names, delimiter, start, last_quote >= start, has_returns)

    @property
    def has_nameless(self) -> bool:
        """Whether a column has no name, as the index that pandas writes."""
        return any(map(INDEX.fullmatch, self.names))

    def texts(self) -> pa.Table:
        """Return all cells as text; empty ones are null.

        Raises:
            MaskkitError: A row does not fit the header.
        """
        return self._named(self._read(self._columns, strings_can_be_null=True, null_values=[""]))

    def typed(self, texts: Iterable[str]) -> pa.Table:
        """Return columns as they are in the cells: whole numbers, numbers or texts; the `texts` as texts.

        Raises:
            MaskkitError: A row does not fit the header.
        """
        return self._named(self._read(texts))

    def beginnings(self) -> list[int]:
        """Return the line that each row begins in, counted from 1."""
        return [line for line, _ in self._numbered()]

    @property
    def _columns(self) -> list[str]:
        """The names, those that are empty by their place."""
        return [name or f"\0{place}" for place, name in enumerate(self.names)]

    def _read(self, texts: Iterable[str], **nulls: object) -> pa.Table:
        import pyarrow.csv as pacsv  # as `pyarrow.parquet`

        kinds = dict.fromkeys(texts, pa.string())
        try:
            table = pacsv.read_csv(
                pa.BufferReader(self.data.slice(self.start)),
                read_options=pacsv.ReadOptions(column_names=self._columns),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=self.has_quotes
                ),
                convert_options=pacsv.ConvertOptions(column_types=kinds, **nulls),
            )
        except pa.ArrowInvalid:
            return self._by_rows(kinds)
        return self._by_rows(kinds) if self._is_odd(table) else table

    def _is_odd(self, table: pa.Table) -> bool:
        """Whether Arrow may have read other cells than there are.

        It does not say whether a space before a text was quoted, takes an open quote at the end for a closed
        one, and may lose a line feed behind a carriage return in quotes.
        """
        texts = [column for column in table.columns if column.type == pa.string()]
        if any(begins_odd(chunk) for column in texts for chunk in column.chunks):
            return True
        if not self.has_quotes or not len(table):
            return False
        last = str(table.columns[-1][-1])
        if "\n" in last or "\r" in last or self._is_cut_off():
            return True
        if not self.has_returns:
            return False
        import pyarrow.compute as pc

        return any(pc.any(pc.match_substring(column, "\r"), min_count=0).as_py() for column in texts)

    def _is_cut_off(self) -> bool:
        """Whether the last line has no end, and a quote is open in it."""
        view = memoryview(self.data)[self.start :]
        if bytes(view[-1:]) in (b"\n", b"\r"):
            return False
        blocks = (bytes(view[start : start + BLOCK]) for start in range(0, len(view), BLOCK))
        return sum(block.count(b'"') for block in blocks) % 2 == 1

    def _by_rows(self, kinds: Iterable[str]) -> pa.Table:
        rows, schema = self._rows(), pa.schema([(name, pa.string()) for name in self._columns])
        blocks = iter(lambda: list(islice(rows, ROWS)), [])
        batches = [
            pa.record_batch([pa.array(cells, pa.string()) for cells in zip(*block, strict=True)], schema)
            for block in blocks
        ]
        table = pa.Table.from_batches(batches, schema)
        columns = {name: table[name] if name in kinds else _numeric(table[name]) for name in self._columns}
        return pa.table(columns)

    def _rows(self) -> Iterator[list[str | None]]:
        """Yield the cells of rows, as many as the header has; None for an empty one."""
        width = len(self.names)
        for line, cells in self._numbered():
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if len(cells) > width:
                raise unreadable(
                    self.title, f"line {line} has {len(cells):,} cells, and the header {width:,}"
                )
            yield [cell or None for cell in cells] + [None] * (width - len(cells))

    def _numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line that each row begins in, and its cells; blank lines are no rows."""
        head = bytes(memoryview(self.data)[: self.start])
        above = head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")
        rest = pa.BufferReader(self.data.slice(self.start))
        with io.TextIOWrapper(rest, encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True, strict=True)
            line = above + 1
            try:
                for cells in reader:
                    is_blank = not cells or (len(cells) == 1 < len(self.names) and not cells[0].strip())
                    if not is_blank:
                        yield line, cells
                    line = above + reader.line_num + 1
            except csv.Error as error:
                raise unreadable(self.title, f"line {line}: {said(error)}") from error

    def _named(self, table: pa.Table) -> pa.Table:
        """Return the table without columns that have no name, if they are empty or pandas' index."""
        kept: dict[str, pa.ChunkedArray] = {}
        left = 0
        for place, (name, column) in enumerate(zip(self.names, table.columns, strict=True)):
            is_nameless = INDEX.fullmatch(name) is not None
            if is_nameless and column.null_count == len(column):
                continue
            if is_nameless and place == left and _are_whole(column):
                log.warning("left out column %d of %s: it looks like pandas' index", place + 1, self.title)
                left += 1
                continue
            if not name:
                raise unreadable(
                    self.title, f"column {place + 1} has no name, and holds {column[0]}",
                    fix="name it; an index of pandas is left out by to_csv(FILE, index=False)",
                )  # fmt: skip
            kept[name] = column
        return pa.table(kept)


def begins_odd(texts: pa.Array) -> bool:
    """Whether one of some texts begins with a space, or is longer than anybody writes."""
    _, ends, data = texts.buffers()
    end = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data or b"", np.uint8)
    if not len(letters):
        return False
    if end[-1] - end[0] > LONGEST_FIELD and np.diff(end).max() > LONGEST_FIELD:
        return True
    first = letters[np.minimum(end[:-1], len(letters) - 1)]  # of an empty text, that of the next
    return bool((first == ord(" ")).any())


def _numeric(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts as whole numbers, or as numbers, if they all are."""
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column)
    for kind in (pa.int64(), pa.float64()):
        try:
            return trimmed.cast(kind)
        except pa.ArrowInvalid:
            continue
    return column


def _are_whole(column: pa.ChunkedArray) -> bool:
    """Whether a column holds whole numbers from 0 on, without gaps and without zeros before them."""
    import pyarrow.compute as pc

    if pa.types.is_integer(column.type):
        return not column.null_count
    if pa.types.is_floating(column.type):
        return not column.null_count and bool(pc.all(pc.equal(column, pc.round(column))).as_py())
    return bool(pc.all(pc.match_substring_regex(column, WHOLE), skip_nulls=False).as_py())
