from collections import Counter
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.splitting.strata import FINE_BINS, NOTHING, binned, group_strata, is_countable, of_groups


def strata_of(column: pa.Array, group: list[int]) -> tuple[list[int], int]:
    rows = np.arange(len(group))
    codes, mixed = group_strata(pa.chunked_array([column]), rows, np.array(group), groups=max(group) + 1)
    return codes.tolist(), mixed


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=40))
def test_the_most_frequent_value_speaks_for_a_group_and_of_equals_the_smallest(
    rows: list[tuple[int, int]],
) -> None:
    names = sorted({owner for owner, _ in rows})
    group = np.array([names.index(owner) for owner, _ in rows], np.int64)
    values = np.array([value for _, value in rows], np.int64)
    found, mixed = of_groups(values, group, len(names))
    counts = [Counter(value for owner, value in rows if owner == name) for name in names]
    assert found.tolist() == [min(one, key=lambda value: (-one[value], value)) for one in counts]
    assert mixed == sum(len(one) > 1 for one in counts)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b", None, "a"]),
        pa.array(["a", "b", None, "a"]).dictionary_encode(),
        pa.array([True, False, None, True]),
        pa.array([3, 1, None, 3], pa.int64()),
        pa.array([0.5, -7.0, None, 0.5]),
        pa.array([date(2020, 1, 1), date(1999, 1, 1), None, date(2020, 1, 1)]),
    ],
)
def test_values_of_any_kind_are_strata_and_so_is_null(column: pa.Array) -> None:
    codes, mixed = strata_of(column, [0, 1, 2, 3])
    assert mixed == 0
    assert codes[0] == codes[3]
    assert sorted(set(codes)) == [0, 1, 2]


def test_a_group_of_several_values_is_counted_as_mixed() -> None:
    assert strata_of(pa.array(["x", "y", "y", "x"]), [0, 0, 0, 1]) == ([1, 0], 1)


def test_few_numbers_are_bins_of_their_own_and_many_are_64_alike_in_size() -> None:
    assert binned(np.array([7.0, NOTHING, 2.5, 7.0])).tolist() == [2, 0, 1, 2]
    bins = np.bincount(binned(np.random.default_rng(0).normal(size=6400)))
    assert len(bins) == FINE_BINS
    assert set(bins) == {100}


def test_a_cut_always_ends_a_bin_and_nothing_is_not_the_lowest_number() -> None:
    many = np.linspace(0, 1000, 5001)
    bins = binned(np.append(many, NOTHING), cuts=(301.0,))
    known, nothing = bins[:-1], bins[-1]
    assert known[many < 301].max() < known[many >= 301].min()
    assert nothing < known.min()


def test_lists_are_no_strata() -> None:
    assert not is_countable(pa.chunked_array([pa.array([["a"]])]))
    assert is_countable(pa.chunked_array([pa.array(["a"])]))
