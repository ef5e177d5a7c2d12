"""Columns of tens of millions of rows, looked at once per different value instead of once per row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]


def encoded(column: pa.ChunkedArray | pa.Array) -> tuple[Integers, pa.Array]:
    """Number the values of a column, so that `values[codes[i]]` is what row `i` holds.

    Args:
        column: Of any type that can be compared; a dictionary keeps its own numbers.

    Returns:
        Codes (rows,), -1 for null, and the values they stand for, each once.
    """
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    is_dictionary = pa.types.is_dictionary(column.type)
    column = column.unify_dictionaries() if is_dictionary else column.dictionary_encode()
    if not column.num_chunks:
        return np.empty(0, np.int64), pa.array([], column.type.value_type)
    parts = [pc.fill_null(part.indices, -1).to_numpy(zero_copy_only=False) for part in column.chunks]
    return np.concatenate(parts), column.chunk(0).dictionary


def whole_numbers(values: Integers) -> pa.Array:
    """Return an Arrow array of the same memory, (rows,); `pa.array` also loads NumPy's masked arrays."""
    values = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def repeated(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """Return the values that a column holds twice or more; counting all takes thrice the time of none."""
    if len(pc.unique(column)) == len(column):
        return []
    counts = column.value_counts()
    return counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()  # type: ignore[no-any-return]
