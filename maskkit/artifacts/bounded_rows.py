"""The rows of a Parquet file, read only if they fit in the memory that a table may take.

A few kilobytes can hold billions of equal rows, or a long text that every row repeats.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.csv_text import MOST_COLUMNS
from maskkit.artifacts.files import Source
from maskkit.artifacts.machine_memory import machine_memory
from maskkit.artifacts.parquet_pages import (
    BY_DICTIONARY,
    BY_PREFIX,
    DICTIONARY,
    Chunk,
    Page,
    longest_entry,
    pages,
    row_groups,
)
from maskkit.artifacts.thrift import BYTES
from maskkit.errors import MaskkitError
from maskkit.options.values import UNITS, as_bytes, parse_bytes

VARIABLE = "MASKKIT_TABLE_MEMORY"
MOST = 4 * UNITS["GB"]  # that a table may take
TIMES = 200  # as much as its file, as manifests take less than 50 times as much
LEAST = 256 * UNITS["MB"]  # that any file may
BATCH = 64 * UNITS["MB"]  # that a batch of rows may take while they are counted
BATCH_ROWS = 65_536
LOOSE = BATCH // 2  # that texts of a dictionary may take unmeasured
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 4}
WIDEST = 32  # bytes of a decimal
# What commands take that work on all rows at once: times as much as the table, and with none.
AT_LEAST, ABOUT, WITH_NONE = 2, 3, 150 * UNITS["MB"]


@dataclass(frozen=True)
class Sizes:
    """Bytes that rows take in memory."""

    surely: int
    perhaps: int = 0  # besides, if every text that is stored once were the longest one
    longest: int = 0  # text of each row, summed over columns

    def __add__(self, other: Sizes) -> Sizes:
        """Return the sizes of columns beside each other."""
        return Sizes(self.surely + other.surely, self.perhaps + other.perhaps, self.longest + other.longest)


def bounded_rows(file: Any, source: Source) -> pa.Table:
    """Return all rows of a `pyarrow.parquet.ParquetFile` that was opened on a source.

    Raises:
        MaskkitError: They would take more memory than a table may, or there are too many columns.
        ValueError: The file is damaged, as Arrow's errors are too.
    """
    if file.metadata.num_columns > MOST_COLUMNS:
        raise MaskkitError(
            f"{source.title} has {file.metadata.num_columns:,} columns",
            why=f"a table has at most {MOST_COLUMNS:,}",
            fix="keep the path, the person, the factors and what else you need",
        )
    limit = table_memory(source)
    data = memoryview(source.data).cast("B")
    columns = [file.schema.column(place) for place in range(file.metadata.num_columns)]
    groups = []
    for chunks in row_groups(data):
        if len(chunks) != len(columns):
            raise ValueError("a row group has other columns than the table")
        pairs = zip(chunks, columns, strict=True)
        groups.append(sum((_of_column(data, chunk, column) for chunk, column in pairs), Sizes(0)))
    surely = sum(sizes.surely for sizes in groups)
    if surely > limit:
        raise _too_large(source, limit, surely)
    if AT_LEAST * surely + WITH_NONE > machine_memory():
        raise _beyond_memory(source, surely, rows=file.metadata.num_rows)
    if surely + sum(sizes.perhaps for sizes in groups) <= limit:
        return file.read()
    return _counted(file, source, groups, limit)


def table_memory(source: Source) -> int:
    """Return the bytes that a table may take in memory: what MASKKIT_TABLE_MEMORY says, or by its file."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return parse_bytes(chosen, example=f"{VARIABLE}=8GB")
    return min(MOST, max(LEAST, TIMES * int(source.data.size)))


def _of_column(data: BYTES, chunk: Chunk, schema: Any) -> Sizes:
    """Return what a column of a row group takes, by the headers of its pages."""
    width = WIDTHS.get(schema.physical_type, max(WIDEST, schema.length))
    is_text = schema.physical_type == "BYTE_ARRAY"
    surely = perhaps = longest = coded = 0
    dictionaries: list[Page] = []
    for page in pages(data, chunk):
        if page.kind == DICTIONARY:
            dictionaries.append(page)
            surely += page.size
            continue
        surely += page.values * width + page.size if is_text else max(page.values * width, page.size)
        if is_text and page.encoding in BY_DICTIONARY:
            coded += page.values
        elif is_text and page.encoding == BY_PREFIX:
            perhaps += page.values * page.size
            longest = max(longest, page.size)
    if coded and dictionaries:
        size = max(page.size for page in dictionaries)
        if coded * size > LOOSE and size <= BATCH:
            size = max(longest_entry(data, page, chunk.codec) for page in dictionaries)
        perhaps += coded * size
        longest = max(longest, size)
    is_list = schema.max_repetition_level > 0  # a row may hold any number of texts
    return Sizes(surely + perhaps) if is_list else Sizes(surely, perhaps, longest)


def _counted(file: Any, source: Source, groups: list[Sizes], limit: int) -> pa.Table:
    """Return the rows, read so few at a time that none can take much, until they take more than the limit."""
    batches, taken = [], 0
    for group, sizes in enumerate(groups):
        rows = min(BATCH_ROWS, max(1, BATCH // max(1, sizes.longest)))
        for batch in file.iter_batches(batch_size=rows, row_groups=[group]):
            taken += sum(map(_bytes, batch.columns))
            if taken > limit:
                raise _too_large(source, limit, 2 * limit)
            batches.append(batch)
    return pa.Table.from_batches(batches, file.schema_arrow).combine_chunks()


def _bytes(column: pa.Array) -> int:
    """Return the memory of a column; of a dictionary of texts, what it takes if each row has its own."""
    if not pa.types.is_dictionary(column.type):
        return int(column.get_total_buffer_size())
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return 4 * len(column) + (pc.sum(lengths).as_py() or 0)


def _beyond_memory(source: Source, surely: int, *, rows: int) -> MaskkitError:
    return MaskkitError(
        f"{source.title} needs about {as_bytes(ABOUT * surely + WITH_NONE)} of memory",
        why=f"its {rows:,} rows take {as_bytes(surely)}, and a command about {ABOUT} times that; there are "
        f"{as_bytes(machine_memory())} on this machine, or for this job",
        fix="run it where there is more, or give a part of the rows, with whole people",
    )


def _too_large(source: Source, limit: int, needed: int) -> MaskkitError:
    allowed = math.ceil(needed / UNITS["GB"]) + 1
    return MaskkitError(
        f"{source.title} takes more than {as_bytes(limit)} in memory",
        why=f"the file has {as_bytes(source.data.size)}, and what it holds is limited, so that a damaged or "
        "malicious one does not take all the memory there is",
        fix=f"if you trust the file, set {VARIABLE}={allowed}GB or more, where there are "
        f"{as_bytes(ABOUT * needed)} of memory: a command takes about {ABOUT} times as much as its tables",
    )
