"""Tables with a header as Parquet files.

`pyarrow.parquet` is imported by the functions: with its file systems it takes as long to load as a
submission of 12,600 rows takes to read, and a CSV needs it not. So is what needs `pyarrow.compute`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from maskkit.artifacts.csv_header import refuse_repeated
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY, Header
from maskkit.artifacts.seal import PARQUET
from maskkit.errors import MaskkitError, reason


def read_parquet(source: Source, *, kind: str | None) -> tuple[Header, pa.Table]:
    """Read a Parquet artifact's header and table."""
    header = read_header(source, kind=kind)
    with _parquet_file(source, kind=kind) as file:
        return header, read_rows(file, source)


def read_rows(file: Any, source: Source) -> pa.Table:
    """Return all rows of a `pyarrow.parquet.ParquetFile` that was opened on a source, in plain columns.

    Raises:
        MaskkitError: Two columns have one name, or the rows take too much memory, or are not of their types.
        ValueError: The file is damaged, as Arrow's errors are too.
    """
    from maskkit.artifacts.bounded_rows import bounded_rows
    from maskkit.artifacts.plain_columns import plain

    refuse_repeated(file.schema_arrow.names, source.title)
    return plain(bounded_rows(file, source), name=source.title)


def read_header(source: Source, *, kind: str | None) -> Header:
    """Read a Parquet artifact's header, and none of its rows."""
    with _parquet_file(source, kind=kind) as file:
        schema = file.schema_arrow
        names = schema.names
    refuse_repeated(names, source.title)
    text = (schema.metadata or {}).get(KEY.encode())
    if text is None:
        raise MaskkitError(
            f"{source.title} has no maskkit header",
            why="without it, neither the classes nor how the table was made are known",
            fix=f"run `maskkit label {source.name} -o FILE` on it first",
        )
    return Header.from_json(text, name=source.title, kind=kind)


def is_artifact(source: Source) -> bool:
    """Whether this is a Parquet file of maskkit's; one of another program is not."""
    if not source.starts_with(b"PAR1"):
        return False
    with _parquet_file(source, kind=None) as file:
        return KEY.encode() in (file.schema_arrow.metadata or {})


@contextmanager
def _parquet_file(source: Source, *, kind: str | None) -> Iterator[Any]:
    import pyarrow.parquet as pq

    if not source.starts_with(b"PAR1"):
        raise MaskkitError(
            f"{source.title} is not a Parquet file",
            why="it is empty" if not source.data.size else f"a {kind or 'table'} of maskkit is one",
            fix="give the output of an earlier maskkit command, or run `maskkit label` on your table",
        )
    try:
        yield pq.ParquetFile(pa.BufferReader(source.data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise MaskkitError(
            f"cannot read {source.title}",
            why=f"it begins like a Parquet file, but {reason(error)}",
            fix="it may be cut off: make it again",
        ) from error


def to_parquet(table: pa.Table, header: Header) -> pa.Buffer:
    """Return a table and header as the bytes of a Parquet file; equal content gives equal bytes."""
    import pyarrow.parquet as pq

    if header.kind == "manifest":
        table = _with_lists(table)
    sink, table = pa.BufferOutputStream(), table.replace_schema_metadata({KEY: header.to_json()})
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        sink.write(PARQUET.blank)  # the footer comes when the writer closes
    data = sink.getvalue()
    PARQUET.fill(memoryview(data))
    return data


def _with_lists(table: pa.Table) -> pa.Table:
    """Return a table whose lists of a fixed length, some null, are lists: Arrow before 26 reads those alone.

    That holds for all such columns, also those without a null, so that parts of a table have equal types.
    """
    for place, field in enumerate(table.schema):
        if pa.types.is_fixed_size_list(field.type):
            lists = pa.chunked_array(map(_lists, table[field.name].chunks), pa.list_(field.type.value_type))
            table = table.set_column(place, field.name, lists)
    return table


def _lists(fixed: pa.FixedSizeListArray) -> pa.ListArray:
    is_known = fixed.is_valid().to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(is_known * fixed.type.list_size)])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), fixed.flatten(), mask=fixed.is_null())
