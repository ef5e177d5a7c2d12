"""Arrow columns of any type, for hypothesis."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

texts = st.text(max_size=4) | st.sampled_from(["wear", "male", "0", "25", "", " "])
moments = st.integers(-(2**62), 2**62) | st.integers(0, 2**40)


def whole(kind: pa.DataType) -> st.SearchStrategy[int]:
    bits = kind.bit_width
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if pa.types.is_signed_integer(kind) else (0, 2**bits)
    return st.integers(low, high - 1) | st.integers(0, 60)


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda one: Decimal(one).scaleb(-scale))


INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
FORMS = ("list", "large list", "list view", "fixed", "struct", "map", "struct of lists")
ZONES = (None, "UTC", "Mars/Phobos")
LEAVES: tuple[tuple[pa.DataType, st.SearchStrategy[Any]], ...] = (
    *((kind, texts) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *((kind, st.binary(max_size=4)) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.bool_(), st.booleans()),
    *((kind, whole(kind)) for kind in INTEGERS),
    (pa.float16(), st.integers(0, 60).map(np.float16)),
    *((kind, st.floats(width=kind.bit_width)) for kind in (pa.float32(), pa.float64())),
    (pa.decimal128(5, 1), decimals(5, 1)),
    (pa.decimal128(28, 0), decimals(28, 0)),
    (pa.decimal128(20, 18), decimals(20, 18)),
    (pa.decimal256(28, 3), decimals(28, 3)),
    (pa.date32(), st.integers(-(2**31), 2**31 - 1) | st.integers(0, 20_000)),
    *((pa.timestamp(unit, zone), moments) for unit in ("s", "ms", "us", "ns") for zone in ZONES),
    (pa.time32("ms"), st.integers(0, 2**31 - 1) | st.integers(0, 86_399)),
    (pa.time64("ns"), moments | st.integers(0, 86_399 * 10**9)),
    *((pa.duration(unit), moments) for unit in ("s", "ns")),
    (pa.null(), st.none()),
)  # fmt: skip


def _filled(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_temporal(kind):
        return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).cast(kind)
    return pa.array(values, kind)


@st.composite
def leaves(draw: st.DrawFn, rows: int) -> pa.Array:
    kind, value = draw(st.sampled_from(LEAVES))
    return _filled(kind, draw(st.lists(st.none() | value, min_size=rows, max_size=rows)))


@st.composite
def dictionaries(draw: st.DrawFn, rows: int) -> pa.Array:
    index = draw(st.sampled_from(INTEGERS))
    places = draw(st.lists(st.none() | st.integers(0, 2), min_size=rows, max_size=rows))
    return pa.DictionaryArray.from_arrays(pa.array(places, index), draw(leaves(3)))


@st.composite
def extensions(draw: st.DrawFn, rows: int) -> pa.Array:
    if draw(st.booleans()):
        ids = st.none() | st.uuids().map(lambda one: one.bytes)
        stored = pa.array(draw(st.lists(ids, min_size=rows, max_size=rows)), pa.binary(16))
        return pa.ExtensionArray.from_storage(pa.uuid(), stored)
    words = draw(st.lists(texts, min_size=rows, max_size=rows))
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(words, pa.string()))


@st.composite
def nested(draw: st.DrawFn, rows: int) -> pa.Array:
    inner = draw(leaves(rows) | dictionaries(rows) | extensions(rows))
    ends = pa.array(range(rows + 1), pa.int32())
    form = draw(
        st.sampled_from(["list", "large list", "list view", "fixed", "struct", "map", "struct of lists"])
    )
    if form == "list":
        return pa.ListArray.from_arrays(ends, inner)
    if form == "large list":
        return pa.LargeListArray.from_arrays(ends.cast(pa.int64()), inner)
    if form == "list view":
        return pa.ListViewArray.from_arrays(ends[:-1], pa.array([1] * rows, pa.int32()), inner)
    if form == "fixed":
        return pa.FixedSizeListArray.from_arrays(inner, 1)
    if form == "map":
        return pa.MapArray.from_arrays(ends, pa.array([f"k{row}" for row in range(rows)]), inner)
    part = pa.ListArray.from_arrays(ends, inner) if form == "struct of lists" else inner
    return pa.StructArray.from_arrays([part, pa.array(range(rows))], ["a", "b"])


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.ChunkedArray:
    """Return a column of some type, in one or two chunks of which a dictionary may differ."""
    of_any = leaves(rows) | dictionaries(rows) | extensions(rows) | nested(rows)
    array = draw(of_any)
    place = draw(st.integers(0, rows))
    return pa.chunked_array([array.slice(0, place), array.slice(place)], array.type)
