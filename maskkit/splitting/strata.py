"""Strata: what folds are balanced by besides the classes, as one number per group and stratifier.

Values, and tuples of them, are numbered by sorting or by a table: millions of them in a blink.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.columns import Floats, Ints, distinct, encoded

Value = TypeVar("Value", np.float64, np.int64)

FINE_BINS = 64  # of a number; each value its own if there are no more, as of years of age
NOTHING = -np.inf  # stands for null among numbers, below every bin
MOST = 2**62  # what a product of sizes may reach in 64 bits
TABLE = 4  # entries per value up to which a table of all numbers between is faster than sorting


def group_strata(
    column: pa.ChunkedArray, rows: Ints, group: Ints, *, groups: int, cuts: tuple[float, ...] = ()
) -> tuple[Ints, int]:
    """Number each group's stratum by a column: numbers and times by fine bins, other values as they are.

    In the whole column, in which null is a stratum of its own, only `rows` take part, (photos,), whose
    groups `group` names, as `of_groups` has it. A bin of numbers also ends at the cuts.

    Returns:
        Codes, (groups,), and how many groups have several values; the most frequent one counts.
    """
    is_number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    if any(is_one(column.type) for is_one in is_number):
        numbers, mixed = of_groups(_numbers(column)[rows], group, groups)
        return binned(numbers, cuts=cuts), mixed
    codes, mixed = of_groups(encoded(column)[0][rows].astype(np.int64), group, groups)
    return numbered(codes), mixed


def _numbers(column: pa.ChunkedArray) -> Floats:
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
    numbers = column.cast(pa.float64(), safe=False).to_numpy()
    return np.where(np.isnan(numbers), NOTHING, numbers)


def of_groups(values: NDArray[Value], group: Ints, groups: int) -> tuple[NDArray[Value], int]:
    """Return the most frequent value of each group, (groups,), and how many groups have several.

    Of equally frequent ones it is the smallest, so that the order of rows does not matter. Each photo has
    a value and a group, 0 to `groups - 1`, (photos,); each group has a photo.
    """
    of_group = np.empty(groups, values.dtype)
    of_group[group] = values
    is_mixed = np.zeros(groups, np.bool_)
    is_mixed[group[values != of_group[group]]] = True
    inside = np.flatnonzero(is_mixed[group])
    order = inside[np.lexsort((values[inside], group[inside]))]
    value, owner = values[order], group[order]
    is_first = np.concatenate([[True], (value[1:] != value[:-1]) | (owner[1:] != owner[:-1])])[: len(order)]
    start = np.flatnonzero(is_first)
    times = np.diff(start, append=len(order))
    # The most frequent first, of equals the smallest; what is written last stays, so backwards.
    best = start[np.lexsort((value[start], -times, owner[start]))][::-1]
    of_group[owner[best]] = value[best]
    return of_group, int(is_mixed.sum())


def binned(numbers: Floats, *, cuts: tuple[float, ...] = ()) -> Ints:
    """Number the bins that numbers fall into, (groups,): each value its own, or 64 alike in size.

    `NOTHING` has a bin of its own, and a bin ends at each cut, such as those between the bands of age.
    """
    edges = distinct(numbers[numbers != NOTHING])
    if len(edges) > FINE_BINS:
        known = numbers[numbers != NOTHING]
        edges = np.quantile(known, np.linspace(0, 1, FINE_BINS + 1)[:-1])
    return numbered(np.searchsorted(np.union1d(edges, cuts), numbers, side="right"))


def tied_groups(group: Ints, ties: Sequence[Ints]) -> Ints:
    """Join groups that share a value of any tie, also by way of others.

    They are the connected components of the graph between groups and values, found in time linear in
    the number of photos (Pearce 2005, as SciPy has it). Groups are any numbers, (photos,), and so are the
    values of each tie, of which a negative one ties nothing.

    Returns:
        The component of each photo, 0 to components - 1, (photos,).
    """
    from scipy.sparse import coo_array  # takes as long to load as NumPy, and few splits need it
    from scipy.sparse.csgraph import connected_components

    first = numbered(group)
    nodes = int(first.max(initial=-1)) + 1
    ends = []
    for tie in ties:
        rows = np.flatnonzero(tie >= 0)
        value = nodes + numbered(tie[rows])
        nodes = int(value.max(initial=nodes - 1)) + 1
        ends.append((first[rows], value))
    if not ends:
        return first
    one, other = (np.concatenate(side) for side in zip(*ends, strict=True))
    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(nodes, nodes))
    return numbered(connected_components(links, directed=False)[1][first].astype(np.int64))


def numbered(values: Ints) -> Ints:
    """Number the distinct values from 0 in ascending order; return the number of each, int64 (values,)."""
    if not len(values):
        return np.zeros(0, np.int64)
    low, high = int(values.min()), int(values.max())
    if high - low >= TABLE * len(values) + 1024:
        return np.unique(values, return_inverse=True)[1]
    place = values - low if low else values
    is_there = np.zeros(high - low + 1, np.bool_)
    is_there[place] = True
    return np.asarray((np.cumsum(is_there) - 1)[place])


def joined(columns: Iterable[Ints], rows: int) -> Ints:
    """Number the distinct rows of a table, given by its columns from 0 on, in lexicographic order, (rows,).

    The columns become the digits of one 64-bit number, sorted once. Where they would not fit, what is
    there so far is numbered first, which makes it smaller than the number of rows. A row-wise
    `np.unique` would compare whole rows as bytes, and takes many times as long.
    """
    key, room = np.zeros(rows, np.int64), 1
    for column in columns:
        size = int(column.max(initial=0)) + 1
        if room * size > MOST:
            key = numbered(key)
            room = int(key.max(initial=0)) + 1
        if room * size > MOST:
            column = numbered(column)  # noqa: PLW2901 - the same values, as smaller numbers
            size = int(column.max(initial=0)) + 1
        key = key * size
        key += column
        room *= size
    return numbered(key)
