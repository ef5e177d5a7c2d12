"""Counting people and photos, against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from maskkit.describing.groups import (
    distribution,
    effective_number,
    joint_code,
    rare_combinations,
    traits,
)
from maskkit.labels import Factor, LabelSpace

SPACE = LabelSpace((Factor("hat", ("on", "off")), Factor("age", ("young", "old"), cuts=(40,))))
# Persons 0 to 3; person 3's age is not known.
PERSON = np.array([0, 0, 0, 1, 1, 2, 3])
LEVELS = np.array([[0, 0], [0, 0], [1, 0], [0, 0], [1, 0], [1, 1], [0, -1]])


def test_counts_each_person_once_in_each_group() -> None:
    found = distribution("hat", ["on", "off"], LEVELS[:, 0], PERSON, shape=[2])
    assert [(one.photos, one.people) for one in found.groups] == [(4, 3), (3, 3)]
    assert [one.photos_imbalance for one in found.groups] == [1, pytest.approx(4 / 3)]
    assert found.unknown_photos == 0


def test_photos_of_an_unknown_level_are_of_no_group() -> None:
    found = distribution("age", ["young", "old"], LEVELS[:, 1], PERSON, shape=[2])
    assert [(one.photos, one.people) for one in found.groups] == [(5, 2), (1, 1)]
    assert found.unknown_photos == 1


def test_a_group_of_nobody_has_no_imbalance() -> None:
    found = distribution("hat", ["on", "off", "lost"], LEVELS[:, 0], PERSON, shape=[3])
    assert (found.groups[2].photos_imbalance, found.groups[2].effective_photos) == (None, 0)


@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_the_effective_number_is_the_sum_of_powers(count: int) -> None:
    # (1 - b^n) / (1 - b) is 1 + b + ... + b^(n-1)
    assert effective_number(count, beta=0.9) == pytest.approx(sum(0.9**power for power in range(count)))


def test_a_combination_is_unknown_if_any_of_its_levels_is() -> None:
    code, names, shape = joint_code(LEVELS, SPACE, [0, 1])
    assert (names, shape) == (["on/young", "on/old", "off/young", "off/old"], [2, 2])
    assert code.tolist() == [0, 0, 2, 0, 2, 3, -1]


def test_a_trait_does_not_vary_within_people() -> None:
    assert traits(LEVELS, PERSON) == [1]


def test_lists_few_factors_before_more_and_few_people_before_more() -> None:
    rare = rare_combinations(LEVELS, PERSON, SPACE, under=3)
    assert (rare.under, rare.factors) == (3, 2)
    assert [(dict(one.levels), one.people, one.photos) for one in rare.found] == [
        ({"age": "old"}, 1, 1),
        ({"age": "young"}, 2, 5),
        ({"hat": "on", "age": "old"}, 0, 0),
        ({"hat": "off", "age": "old"}, 1, 1),
        ({"hat": "on", "age": "young"}, 2, 3),
        ({"hat": "off", "age": "young"}, 2, 2),
    ]


def test_what_contains_a_combination_of_nobody_is_not_listed_again() -> None:
    levels = np.array([[0, 0], [1, 0]])  # nobody is old
    rare = rare_combinations(levels, np.array([0, 1]), SPACE, under=1)
    assert [dict(one.levels) for one in rare.found] == [{"age": "old"}]


def test_very_many_combinations_are_counted_for_few_factors_only() -> None:
    space = LabelSpace(tuple(Factor(f"f{index}", ("no", "yes")) for index in range(12)))
    levels = np.zeros((3, 12), np.int64)
    rare = rare_combinations(levels, np.arange(3), space, under=1)
    assert 1 < rare.factors < 12
    assert len(rare.found) == 12  # `yes` of each: all others contain one of these
