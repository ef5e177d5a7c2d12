import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskkit.splitting.strata import tied_groups

ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 6), st.integers(-2, 3)), max_size=30)


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
