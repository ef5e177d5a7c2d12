from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.checks import NOT_RELATIVE
from maskkit.artifacts.columns import encoded, repeated, surely_differ, surely_plain_paths

texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=3) | st.none(), max_size=30)


def ids(count: int) -> list[str]:
    return [f"{number:040x}.jpg" for number in range(count)]


@given(texts, st.booleans())
def test_codes_and_values_give_the_column_back(values: list[str | None], is_dictionary: bool) -> None:
    halves = [pa.array(part, pa.string()) for part in (values[:7], values[7:])]
    if is_dictionary:
        halves = [half.dictionary_encode() for half in halves]
    codes, names = encoded(pa.chunked_array(halves))
    assert [None if code < 0 else names[int(code)].as_py() for code in codes] == values
    assert len(set(names.to_pylist())) == len(names)


def test_a_column_without_chunks_has_no_values() -> None:
    codes, values = encoded(pa.chunked_array([], pa.string()))
    assert (len(codes), len(values)) == (0, 0)


@given(texts)
def test_finds_what_is_there_twice_and_nothing_else(values: list[str | None]) -> None:
    column = pa.chunked_array([pa.array(values, pa.string())])
    assert set(repeated(column)) == {value for value in values if values.count(value) > 1}
    assert not surely_differ(column) or not repeated(column)


@pytest.mark.parametrize("count", [0, 1, 2, 40_000])
def test_ids_of_one_length_are_told_apart_across_blocks_chunks_and_slices(count: int) -> None:
    names = ids(count)
    column = pa.chunked_array([pa.array(["?", *names[:5]])[1:], pa.array(names[5:], pa.string())])
    assert surely_differ(column)
    assert repeated(column) == []
    if count > 1:
        twice = pa.chunked_array([*column.chunks, pa.array(names[-1:])])
        assert not surely_differ(twice)
        assert repeated(twice) == names[-1:]


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 17])
def test_every_byte_of_an_id_counts(length: int) -> None:
    column = pa.array(["a" * place + "b" + "a" * (length - place - 1) for place in range(length)])
    assert surely_differ(column)
    assert not surely_differ(pa.concat_arrays([column, column[-1:]]))


@pytest.mark.parametrize("values", [["", ""], ["a", None], [""], ["a", "a" * 5000]])
def test_nothing_is_sure_of_missing_empty_and_very_long_ids(values: list[str | None]) -> None:
    assert not surely_differ(pa.array(values, pa.string()))


def test_ids_of_several_lengths_are_told_apart_also_by_zeros_at_their_end() -> None:
    names = [f"{number}/mask{number % 5}.jpg" for number in range(30_000)]
    names += ["a", "a\0", "a\0\0", "aaaaaaaa", "aaaaaaaa\0"]
    assert surely_differ(pa.chunked_array([names[:9], names[9:]]))
    assert not surely_differ(pa.chunked_array([names, names[777:778]]))
    assert repeated(pa.chunked_array([names, names[777:778]])) == names[777:778]


paths = st.lists(st.text(st.sampled_from("a./"), max_size=5), max_size=6)


@given(paths, paths)
def test_paths_that_are_surely_plain_are_relative_without_odd_parts(one: list[str], other: list[str]) -> None:
    column = pa.chunked_array([pa.array(["..", *one])[1:], pa.array(other, pa.string())])
    if surely_plain_paths(column):
        assert not [path for path in [*one, *other] if re.search(NOT_RELATIVE, path)]


def test_paths_as_they_usually_are_are_surely_plain_across_blocks() -> None:
    names = [f"{number:06d}_x/mask{number % 5}.jpg" for number in range(40_000)]
    column = pa.chunked_array([pa.array(["", *names])[1:], pa.array([], pa.string())])
    assert surely_plain_paths(column)
    for odd in ("/a.jpg", "a//b.jpg", "a/../b.jpg", "./a.jpg", "a/", "", None):
        assert not surely_plain_paths(pa.chunked_array([*column.chunks, pa.array([odd], pa.string())]))
