"""Tables of photos or corrections: any CSV in UTF-8, or Parquet."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.sources.layouts import PhotoTable


def photo_table(source: Source, *, root: str | None = None) -> PhotoTable:
    """Read a table of photos that are under `root`, or in `images` beside the table, or else beside it.

    Raises:
        MaskkitError: It is neither CSV nor Parquet, or has no rows.
    """
    beside = Path() if source.name == "-" else Path(source.name).parent
    images = beside / "images"
    folder = Path(root) if root is not None else images if images.is_dir() else beside
    return PhotoTable(read_table(source), folder, source.name)


def read_table(source: Source) -> pa.Table:
    """Read a CSV (all cells as text) or Parquet file; what is missing in it becomes null.

    Raises:
        MaskkitError: It is neither, or has no rows.
    """
    table = _read(source, _from_parquet if source.starts_with(b"PAR1") else _from_csv)
    if not len(table):
        raise MaskkitError(
            f"{source.title} has no rows", why="there is nothing to label", fix="give a table with photos"
        )
    return table


def read_csv(source: Source) -> pa.Table:
    """Read a CSV, all cells as text, which may have no rows; what is missing in it becomes null.

    Raises:
        MaskkitError: It is none.
    """
    return _read(source, _from_csv)


def _read(source: Source, reader: Callable[[Source], pa.Table]) -> pa.Table:
    try:
        return reader(source)
    except (ValueError, OSError, Warning) as error:  # Arrow's and pandas' errors are ValueErrors
        raise MaskkitError(
            f"cannot read {source.title} as a table",
            why=str(error).splitlines()[0],
            fix="give a CSV in UTF-8 with a header line, or a Parquet file",
        ) from error


def _from_parquet(source: Source) -> pa.Table:
    import pyarrow.parquet as pq

    # Without pandas' metadata, a named index is a column.
    table = pq.ParquetFile(pa.BufferReader(source.data)).read().replace_schema_metadata(None)
    table = table.select([name for name in table.column_names if not name.startswith("__index_level_")])
    for index, column in enumerate(table.schema):
        values = table[column.name]
        if pa.types.is_dictionary(column.type):
            table = table.set_column(index, column.name, values.cast(column.type.value_type))
        elif pa.types.is_floating(column.type):  # pandas writes what is missing as NaN
            table = table.set_column(index, column.name, pc.if_else(pc.is_nan(values), None, values))
    return table


def _from_csv(source: Source) -> pa.Table:
    """Read what is regular by Arrow, fast and within memory, and let pandas judge or read the rest.

    pandas takes commas at the end of lines, short lines, and spaces after a comma; and it says in
    which line there are too many cells.
    """
    names, lines = _header_line(source)
    if names and len(set(names)) == len(names) and all(names):
        try:
            table = pacsv.read_csv(
                pa.BufferReader(source.data),
                read_options=pacsv.ReadOptions(column_names=names, skip_rows=lines),
                parse_options=pacsv.ParseOptions(newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
                ),
            )
        except pa.ArrowInvalid:
            return _irregular(source)
        if not any(pc.any(pc.starts_with(column, " ")).as_py() for column in table.columns):
            return table
    return _irregular(source)  # spaces: Arrow does not say whether one was quoted


def _header_line(source: Source) -> tuple[list[str], int]:
    """Return the names of the columns, and how many lines they and the empty ones before them take."""
    with io.TextIOWrapper(pa.BufferReader(source.data), encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, skipinitialspace=True)
        names = next((cells for cells in reader if cells), [])
        return names, reader.line_num


def _irregular(source: Source) -> pa.Table:
    import pandas as pd  # half a second, and only a table out of the ordinary needs it

    with warnings.catch_warnings():
        # Rows longer than the header would lose cells, or (by default) shift them all by a column.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            io.BytesIO(source.data.to_pybytes()), dtype=str, na_values=[""], keep_default_na=False,
            encoding="utf-8-sig", index_col=False, skipinitialspace=True,
        )  # fmt: skip
    cells = frame.astype(object).where(frame.notna(), None)
    return pa.table({str(name): pa.array(cells[name].tolist(), pa.string()) for name in frame.columns})
