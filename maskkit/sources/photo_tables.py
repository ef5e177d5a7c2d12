"""Tables of photos: any CSV or Parquet with a path column and a column per factor."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.sources.listing import Listing


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
    """Read the regular by Arrow, fast and within memory, and let pandas judge or read the rest.

    pandas takes commas at the end of lines, short lines, and quotes after a space; and it says in
    which line there are too many cells.
    """
    names, lines = _header_line(source)
    if names and len(set(names)) == len(names) and all(names):
        try:
            table = _regular(source, names, lines)
        except pa.ArrowInvalid:
            return _irregular(source)
        is_spaced = [pc.any(pc.starts_with(column, " ")).as_py() for column in table.columns]
        if not any(is_spaced):
            return table
        if re.search(b'"', memoryview(source.data)) is None:
            return pa.table([_without_lead(column) for column in table.columns], names=names)
    return _irregular(source)  # quotes and spaces: Arrow does not tell whether a space was quoted


def _header_line(source: Source) -> tuple[list[str], int]:
    """Return the names of the columns, and how many lines they and the empty ones before them take."""
    with io.TextIOWrapper(pa.BufferReader(source.data), encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, skipinitialspace=True)
        names = next((cells for cells in reader if cells), [])
        return names, reader.line_num


def _regular(source: Source, names: list[str], lines: int) -> pa.Table:
    return pacsv.read_csv(
        pa.BufferReader(source.data),
        read_options=pacsv.ReadOptions(column_names=names, skip_rows=lines),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def _without_lead(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Pass over the spaces after a comma; a cell of nothing else is empty."""
    column = pc.utf8_ltrim(column, " ")
    return pc.if_else(pc.equal(column, ""), None, column)


def _irregular(source: Source) -> pa.Table:
    import pandas as pd  # half a second, and only a table out of the ordinary needs it

    with warnings.catch_warnings():
        # Rows longer than the header would lose cells, or (by default) shift them all by a column.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            io.BytesIO(source.data.to_pybytes()),
            dtype=str,
            na_values=[""],
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
            skipinitialspace=True,
        )
    cells = frame.astype(object).where(frame.notna(), None)
    return pa.table({str(name): pa.array(cells[name].tolist(), pa.string()) for name in frame.columns})


def table_photos(table: pa.Table, root: Path, space: LabelSpace, *, name: str) -> Listing:
    """List the photos of a table; every column is kept.

    Raises:
        MaskkitError: There is no `path`, or there are columns for some factors but not for all.
    """
    names = [factor.name for factor in space.factors]
    absent = [factor for factor in names if factor not in table.column_names]
    if "path" not in table.column_names or 0 < len(absent) < len(names):
        lacking = absent if "path" in table.column_names else ["path", *absent]
        raise MaskkitError(
            f"{name} has no column {', '.join(lacking)}",
            why=f"it has {', '.join(table.column_names)}; photos are listed by `path`, "
            f"and their class is made of {', '.join(names)}",
            fix="rename or add the columns; leave all factors out for photos without labels, "
            "or describe your own factors with --task",
        )
    return Listing(root, dict(zip(table.column_names, table.columns, strict=True)))
