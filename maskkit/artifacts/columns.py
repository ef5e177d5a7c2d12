"""Columns of tens of millions of rows, looked at once per different value instead of once per row.

`pyarrow.compute` is imported by the functions, because a vote over short submissions spends a tenth of
its time on loading it, if it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

SUM_ERROR = 1e-3  # of probabilities
# What a probability counts as, at least, wherever its logarithm is taken: the step beside 1 of float32, in
# which tables hold them. A sure mistake costs 15.9 nats, as in scikit-learn, instead of infinitely many.
SMALLEST = float(np.finfo(np.float32).eps)
SLASH, DOT = b"/."
_BLOCK = 16_384  # texts at a time, which stay in cache
_LONGEST = 1024  # bytes of a text; all of a block are padded to the longest
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2 to the power of 64, divided by the golden ratio, made odd (Knuth)

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Integers = NDArray[np.integer[Any]]
Value = TypeVar("Value", np.float64, np.int64)


def encoded(column: pa.ChunkedArray | pa.Array) -> tuple[Integers, pa.Array]:
    """Number the values of a column, so that `values[codes]` is what the rows hold.

    Returns:
        Codes (rows,), -1 for null, and the values they stand for, each once; a dictionary keeps its own
        numbers.
    """
    import pyarrow.compute as pc

    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    is_dictionary = pa.types.is_dictionary(column.type)
    column = column.unify_dictionaries() if is_dictionary else column.dictionary_encode()
    if not column.num_chunks:
        return np.empty(0, np.int64), pa.array([], column.type.value_type)
    parts = [pc.fill_null(part.indices, -1).to_numpy(zero_copy_only=False) for part in column.chunks]
    return np.concatenate(parts), column.chunk(0).dictionary


def distinct(values: NDArray[Value]) -> NDArray[Value]:
    """Return the distinct values, ascending, each once.

    Without counts, np.unique hashes since NumPy 2.3: fifty times slower than sorting for millions of codes.
    """
    return np.unique(values, return_counts=True)[0]


def repeated(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """Return the values that a column of texts holds twice or more."""
    if surely_differ(column):
        return []
    import pyarrow.compute as pc

    if len(pc.unique(column)) == len(column):  # takes a third of the time of counting all
        return []
    counts = column.value_counts()
    return counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()  # type: ignore[no-any-return]


def are_probabilities(probs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which rows of (rows, classes) sum to 1 with nothing negative, (rows,); none that holds NaN."""
    is_whole = np.abs(probs.sum(axis=1, dtype=np.float64) - 1) < SUM_ERROR
    return np.asarray(is_whole & (probs >= 0).all(axis=1))


def surely_plain_paths(column: pa.ChunkedArray) -> bool:
    """Whether no part of any path, between slashes, is empty or begins with a dot, and none holds a NUL.

    If not, nothing is known. A regular expression takes four times as long.
    """
    return all(
        _are_plain(chunk.slice(start, _BLOCK))
        for chunk in column.chunks
        for start in range(0, len(chunk), _BLOCK)
    )


def _are_plain(paths: pa.Array) -> bool:
    if paths.type != pa.string() or paths.null_count:
        return False
    _, ends, data = paths.buffers()
    end = np.frombuffer(ends, np.int32)[paths.offset : paths.offset + len(paths) + 1]
    if not np.diff(end).all():
        return False
    letters = np.frombuffer(data, np.uint8)[end[0] : end[-1]]
    if not letters.all():
        return False
    end = end - end[0]
    slashes = np.flatnonzero(letters == SLASH)
    begins = np.concatenate([end[:-1], slashes[slashes < len(letters) - 1] + 1])  # of parts
    return not (np.isin(letters[begins], (SLASH, DOT)).any() or (letters[end[1:] - 1] == SLASH).any())


def surely_differ(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether texts have as many digests as there are texts: then none is empty, and no two are alike.

    If not, nothing is known. A hash table takes five times as long, and several times the memory of the
    column: a manifest of a million rows is read with a tenth (`split`) to a quarter (`show`) less processor
    time, and `ensemble` of three files as long with an eighth less.
    """
    digests = np.empty(len(column), np.uint64)
    done = 0
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        for start in range(0, len(chunk), _BLOCK):
            part = _digests(chunk.slice(start, _BLOCK))
            if part is None:
                return False
            digests[done : done + len(part)] = part
            done += len(part)
    digests.sort()
    return not (digests[1:] == digests[:-1]).any()


def _digests(texts: pa.Array) -> NDArray[np.uint64] | None:
    """Return a number for each text, (rows,); None if one is missing, empty or very long."""
    if texts.type != pa.string() or texts.null_count:
        return None
    _, ends, data = texts.buffers()
    end = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    size = np.diff(end)
    if not size.all() or size.max() > _LONGEST:
        return None
    letters = np.frombuffer(data, np.uint8)[end[0] : end[-1]]
    padded = np.zeros((len(texts), -(-int(size.max()) // 8) * 8), np.uint8)
    if (size == size[0]).all():  # as the competition's ids
        padded[:, : size[0]] = letters.reshape(-1, size[0])
    else:
        padded[np.arange(padded.shape[1]) < size[:, None]] = letters
    digest = size.astype(np.uint64)  # or a text would be as one that goes on with zeros
    for word in padded.view(np.uint64).T:  # each step can be undone, so one word's texts never share a digest
        digest = (digest ^ word) * _ODD
        digest ^= digest >> np.uint64(29)
    return digest


def as_pandas(table: pa.Table) -> pd.DataFrame:
    """Return a table as pandas has it; whole numbers stay whole where some are missing."""
    import pandas as pd

    whole = {
        getattr(pa, name.lower())(): getattr(pd, f"{name}Dtype")()
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    }
    return table.to_pandas(types_mapper=whole.get)  # type: ignore[no-any-return]
