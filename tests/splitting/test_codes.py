import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.splitting import codes
from maskkit.splitting.codes import distinct, joined, numbered

VALUES = st.lists(st.one_of(st.integers(-5, 5), st.integers(-(2**62), 2**62 - 1)), max_size=40)
TABLES = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.tuples(*[st.one_of(st.integers(0, 3), st.integers(0, 2**61))] * width), min_size=1, max_size=30
    )
)


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
    monkeypatch.setattr(codes, "MOST", most)
    assert np.array_equal(joined(columns, 200), expected)
