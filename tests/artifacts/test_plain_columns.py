from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrow_columns import columns
from hypothesis import given, settings
from hypothesis import strategies as st

from maskkit.artifacts.columns import encoded
from maskkit.artifacts.plain_columns import is_key, plain
from maskkit.errors import MaskkitError

ID = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
LEVEL = pa.dictionary(pa.int16(), pa.string())


def one(column: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return plain(pa.table({"c": column}), name="t")["c"]


def extension(kind: pa.DataType, values: list[Any]) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))


def dictionary(codes: list[int | None], values: pa.Array, index: pa.DataType) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, index), values)


@pytest.mark.parametrize(
    ("given", "kind", "values"),
    [
        (pa.array(["a", None], pa.large_string()), pa.string(), ["a", None]),
        (pa.array(["a", None], pa.string_view()), pa.string(), ["a", None]),
        (pa.array([b"a", None], pa.binary_view()), pa.string(), ["a", None]),
        (pa.array([b"\xff", None], pa.large_binary()), pa.binary(), [b"\xff", None]),
        (pa.array([b"\0", None], pa.binary()), pa.binary(), [b"\0", None]),
        (pa.array([b"\0\xff", None], pa.binary(2)), pa.string(), ["00ff", None]),
        (extension(pa.uuid(), [None, ID.bytes]), pa.string(), [None, str(ID)]),
        (extension(pa.json_(pa.string()), ["{}"]), pa.string(), ["{}"]),
        (extension(pa.bool8(), [1, None]), pa.bool_(), [True, None]),
        (pa.nulls(2), pa.string(), [None, None]),
        (pa.array([1.5, None], pa.float16()), pa.float32(), [1.5, None]),
        (pa.array([Decimal("2.0"), None], pa.decimal128(5, 1)), pa.int64(), [2, None]),
        (pa.array([Decimal("2.5")], pa.decimal128(5, 1)), pa.float64(), [2.5]),
        (pa.array([Decimal(10**30)], pa.decimal128(38, 0)), pa.string(), [str(10**30)]),
        (pa.array([dt.date(2020, 1, 2)], pa.date64()), pa.date32(), [dt.date(2020, 1, 2)]),
        (
            pa.array([1_577_836_800, None], pa.timestamp("s", "Mars/Phobos")),
            pa.timestamp("us"),
            [dt.datetime(2020, 1, 1), None],
        ),
        (pa.array([1999], pa.timestamp("ns")), pa.timestamp("us"), [dt.datetime(1970, 1, 1, 0, 0, 0, 1)]),
        (pa.array([60], pa.time32("s")), pa.time64("us"), [dt.time(0, 1)]),
        (pa.array([1500, None], pa.duration("ms")), pa.float64(), [1.5, None]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), pa.string(), ["a", "a", "b"]),
        (dictionary([0, None, 1], pa.array([7, 8]), pa.uint32()), pa.int64(), [7, None, 8]),
        (
            dictionary([1, None], pa.array(["a", "b"], pa.string_view()), pa.uint32()),
            pa.dictionary(pa.int32(), pa.string()),
            ["b", None],
        ),
        (dictionary([0, 0], pa.array([b"a"], pa.binary_view()), pa.int8()), pa.string(), ["a", "a"]),
        (dictionary([0, 1], dictionary([0, 0], pa.array(["a"]), pa.int8()), pa.int8()), None, ["a", "a"]),
        (pa.array([["a"], None], pa.large_list(pa.string_view())), pa.list_(pa.string()), [["a"], None]),
        (pa.array([[1, None]], pa.list_view(pa.int8())), pa.list_(pa.int8()), [[1, None]]),
        (
            pa.array([{"a": "x"}], pa.struct({"a": pa.large_string()})),
            pa.struct({"a": pa.string()}),
            [{"a": "x"}],
        ),
        (
            pa.array([[("a", 1)]], pa.map_(pa.large_string(), pa.int8())),
            pa.map_(pa.string(), pa.int8()),
            [[("a", 1)]],
        ),
    ],
)  # fmt: skip
def test_a_type_becomes_a_plain_one_that_holds_the_same(
    given: pa.Array, kind: pa.DataType | None, values: list[Any]
) -> None:
    found = one(given)
    assert kind is None or found.type == kind
    assert found.to_pylist() == values
    assert one(given.slice(1)).to_pylist() == values[1:]
    assert one(given.slice(0, 0)).to_pylist() == []


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None]), pa.array([1], pa.uint64()), pa.array([1.5], pa.float32()), pa.array([True]),
        pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), pa.array([["a"]], pa.list_(pa.string())),
    ],
)  # fmt: skip
def test_a_plain_column_is_not_copied(column: pa.Array) -> None:
    buffers = one(column).chunk(0).buffers()
    assert [buffer and buffer.address for buffer in buffers] == [
        buffer and buffer.address for buffer in column.buffers()
    ]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
        pa.array([2**62], pa.timestamp("s")),
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        pa.array([-1]).cast(pa.time64("us")),
        pa.array([{}], pa.struct([])),
        pa.array([[pa.MonthDayNano([1, 2, 3])]]),
        pa.array([[[1]]], pa.list_(pa.list_view(pa.int8()))),
        pa.ListArray.from_arrays([0, 1], dictionary([0], pa.array(["a"], pa.string_view()), pa.int8())),
    ],
)
def test_what_no_command_can_use_is_left_out_and_named(
    column: pa.Array, caplog: pytest.LogCaptureFixture
) -> None:
    table = plain(pa.table({"path": ["a"], "odd": column}), name="t.parquet")
    assert table.column_names == ["path"]
    assert f"left out columns of t.parquet whose type no command can use: odd ({column.type})" in caplog.text


def test_a_text_that_is_not_utf8_is_refused_by_the_name_of_its_column() -> None:
    texts = pa.StringArray.from_buffers(
        1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xff\xfe")
    )
    with pytest.raises(
        MaskkitError, match=r"t: column 'c' does not hold what its type, string, allows"
    ) as caught:
        one(texts)
    assert "UTF8" in caught.value.why


def test_a_dictionary_has_each_value_once_in_all_chunks_and_null_is_none_of_them() -> None:
    first = dictionary([0, 1, 2], pa.array(["a", "a", None]), pa.int16())
    second = dictionary([0, None], pa.array(["b"]), pa.int16())
    found = one(pa.chunked_array([first, second], LEVEL))
    assert found.type == LEVEL
    assert found.to_pylist() == ["a", "a", None, "b", None]
    assert encoded(found)[0].tolist() == [0, 0, -1, 1, -1]
    groups = pa.table({"c": found, "n": range(5)}).group_by("c").aggregate([("n", "min")])
    assert len(groups) == 3  # Arrow cannot group by dictionaries that differ


@pytest.mark.parametrize("names", [["a", "b", None], ["a", "b", "b"]])
def test_null_is_no_category_and_each_has_one_code(names: list[str | None]) -> None:
    found = one(dictionary([0, 1, 2], pa.array(names), pa.int16()))
    assert encoded(found)[0].tolist() == [0, 1, -1 if names[2] is None else 1]


def test_chunks_may_have_more_categories_than_codes_of_16_bits() -> None:
    names = [f"{number}" for number in range(40_000)]
    halves = [
        dictionary([*range(20_000)], pa.array(half), pa.int16()) for half in (names[:20_000], names[20_000:])
    ]
    assert one(pa.chunked_array(halves)).to_pylist() == names


def test_texts_of_two_gigabytes_and_more_come_in_pieces() -> None:
    from maskkit.artifacts import plain_columns

    class Large:
        """A chunk of which Arrow takes a row at a time as texts."""

        def __init__(self, texts: list[str]) -> None:
            self.texts = texts

        def __len__(self) -> int:
            return len(self.texts)

        def slice(self, start: int, length: int | None = None) -> Large:
            return Large(self.texts[start : None if length is None else start + length])

        def cast(self, kind: pa.DataType) -> pa.Array:
            if len(self) > 1:
                raise pa.ArrowInvalid("offset overflow")
            return pa.array(self.texts, kind)

    pieces = plain_columns._texts(Large(["a", "b", "c"]))
    assert [piece.to_pylist() for piece in pieces] == [["a"], ["b"], ["c"]]


SECONDS = (pa.timestamp("s", "UTC"), pa.timestamp("s"), pa.time32("s"), pa.duration("s"))


@pytest.mark.parametrize(("kind", "number"), [*((kind, 5) for kind in SECONDS), (SECONDS[0], 2**53)])
def test_seconds_inside_lists_are_written_or_left_out(kind: pa.DataType, number: int) -> None:
    values = pa.array([number], pa.int32() if pa.types.is_time(kind) else pa.int64()).cast(kind)
    column = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), values)
    found = plain(pa.table({"c": column}), name="t")
    assert found.num_columns == (number == 5)
    pq.write_table(found, pa.BufferOutputStream())


@settings(deadline=None)
@given(st.data())
def test_arrow_can_do_with_any_column_what_commands_do(data: st.DataObject) -> None:
    column = data.draw(columns(4))
    try:
        found = plain(pa.table({"c": column}), name="t")
    except MaskkitError:
        return
    if not found.num_columns:
        return
    both = pa.concat_tables([found.take(pa.array([1, 0])), found.filter(pa.array([True, False, True, True]))])
    pq.write_table(both.cast(found.schema), pa.BufferOutputStream())
    if is_key(found["c"].type):
        codes, values = encoded(both["c"])
        names = [None, *values.to_pylist()]
        assert len({*map(str, names)}) == len(names)
        assert values.cast(pa.string()).null_count == 0
        assert len(codes) == 5
