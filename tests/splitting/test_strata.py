from collections import Counter
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskkit.artifacts.columns import distinct
from maskkit.splitting import strata
from maskkit.splitting.strata import (
    FINE_BINS,
    NOTHING,
    binned,
    group_strata,
    joined,
    numbered,
    of_groups,
    tied_groups,
)

VALUES = st.lists(st.one_of(st.integers(-5, 5), st.integers(-(2**62), 2**62 - 1)), max_size=40)
TABLES = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.tuples(*[st.one_of(st.integers(0, 3), st.integers(0, 2**61))] * width), min_size=1, max_size=30
    )
)


ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 6), st.integers(-2, 3)), max_size=30)


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


@given(VALUES)
def test_numbers_follow_the_order_of_the_values_without_gaps(values: list[int]) -> None:
    order = sorted(set(values))
    assert numbered(np.array(values, np.int64)).tolist() == [order.index(value) for value in values]
    assert distinct(np.array(values, np.int64)).tolist() == order


@given(TABLES)
def test_rows_are_numbered_in_lexicographic_order_however_large_their_values(
    table: list[tuple[int, ...]],
) -> None:
    order = sorted(set(table))
    columns = np.array(table, np.int64).T
    assert joined(columns, len(table)).tolist() == [order.index(row) for row in table]


def test_no_columns_make_all_rows_alike() -> None:
    assert joined([], 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("most", [1, 10, 1000])
def test_columns_that_do_not_fit_into_one_number_are_joined_all_the_same(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    columns = np.random.default_rng(0).integers(0, 4, (6, 200))
    expected = joined(columns, 200)
    monkeypatch.setattr(strata, "MOST", most)
    assert np.array_equal(joined(columns, 200), expected)


def components(rows: list[tuple[int, int, int]]) -> list[set[int]]:
    """Join people one pair of rows after the other, until nothing changes."""
    parts = [{person} for person in {person for person, _, _ in rows}]
    for one in rows:
        for other in rows:
            if any(a == b >= 0 for a, b in zip(one[1:], other[1:], strict=True)):
                touched = [part for part in parts if one[0] in part or other[0] in part]
                parts = [part for part in parts if part not in touched] + [set().union(*touched)]
    return parts


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_components_are_those_of_joining_pair_by_pair(rows: list[tuple[int, int, int]]) -> None:
    table = np.array(rows, np.int64).reshape(-1, 3)
    tied = tied_groups(table[:, 0], [table[:, 1], table[:, 2]])
    found: dict[int, set[int]] = {}
    for code, person in zip(tied.tolist(), table[:, 0].tolist(), strict=True):
        found.setdefault(code, set()).add(person)
    assert sorted(found) == list(range(len(found)))
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, components(rows)))


def test_people_are_tied_by_way_of_others() -> None:
    person = np.array([0, 1, 1, 2, 3])
    tied = tied_groups(person, [np.array([7, 7, -1, -1, -1]), np.array([-1, -1, 3, 3, -1])])
    assert tied.tolist() == [0, 0, 0, 0, 1]


def test_equal_values_of_two_columns_tie_nothing() -> None:
    assert tied_groups(np.array([0, 1]), [np.array([5, -1]), np.array([-1, 5])]).tolist() == [0, 1]


def test_without_ties_each_group_is_alone() -> None:
    assert tied_groups(np.array([4, 9, 4]), []).tolist() == [0, 1, 0]
    assert tied_groups(np.array([4, 9, 4]), [np.full(3, -1)]).tolist() == [0, 1, 0]


def test_numbers_beyond_32_bits_are_told_apart() -> None:
    far = np.array([5, 5 + 2**32, 5, 6 + 2**40])  # of which the lower 32 bits are alike
    assert tied_groups(far, [np.full(4, -1)]).tolist() == [0, 1, 0, 2]
    assert tied_groups(np.arange(4), [far]).tolist() == [0, 1, 0, 2]
