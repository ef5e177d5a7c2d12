"""Tables of photos: any CSV, or Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.csv_header import unreadable
from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.artifacts.parquet import read_rows
from maskkit.errors import MaskkitError, reason
from maskkit.sources.layouts import PhotoTable
from maskkit.storage.address import place_of


def photo_table(source: Source, *, root: str | None = None) -> PhotoTable:
    """Read a table of photos that are under `root`, or in `images` beside the table, or else beside it.

    Raises:
        MaskkitError: It is neither CSV nor Parquet, or has no rows.
    """
    beside = Path() if source.name == "-" else place_of(source.name).parent
    images = beside / "images"
    folder = place_of(root) if root is not None else images if images.is_dir() else beside
    return PhotoTable(read_table(source), folder, source.name)


def read_table(source: Source) -> pa.Table:
    """Read a CSV (all cells as text) or Parquet file; what is missing in it becomes null.

    Raises:
        MaskkitError: It is neither, or has no rows, or two columns of one name.
    """
    table = _from_parquet(source) if source.starts_with(b"PAR1") else CsvText.of(source).texts()
    if not len(table):
        raise MaskkitError(
            f"{source.title} has no rows", why="there is nothing to label", fix="give a table with photos"
        )
    return table


def _from_parquet(source: Source) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        table = read_rows(pq.ParquetFile(pa.BufferReader(source.data)), source)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise unreadable(source.title, reason(error)) from error
    names = [name for name in table.column_names if not name.startswith("__index_level_")]  # pandas' index
    return pa.table({name: _given(table[name]) for name in names})


def _given(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return categories as texts, and NaN, as which pandas writes what is missing, as null."""
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    return pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
