from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.scoring.gaps import accuracy_gap, gap_between, resampled_accuracies
from maskkit.scoring.results import Estimate

NAMES = ("young", "old", "oldest")


Photos = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]


def drawn(shares: tuple[float, ...], people: tuple[int, ...]) -> Photos:
    """Level, right and person of two photos of each of so many people per level, right in such shares."""
    random = np.random.default_rng(0)
    level = np.repeat(np.repeat(np.arange(len(people)), people), 2)
    return level, random.random(len(level)) < np.array(shares)[level], np.repeat(np.arange(sum(people)), 2)


def test_a_large_gap_is_that_of_the_best_and_the_worst_and_more_than_chance() -> None:
    found = accuracy_gap("age", NAMES, *drawn((0.9, 0.8, 0.3), (100, 100, 100)))
    assert found is not None
    assert (found.best, found.worst, found.verdict, found.left_out) == (
        "young",
        "oldest",
        "more than chance",
        0,
    )
    assert found.gap.low is not None
    assert found.gap.high is not None
    assert 0.4 < found.gap.low < 0.6 < found.gap.high < 0.8
    level, right, _ = drawn((0.9, 0.8, 0.3), (100, 100, 100))
    each = [right[level == one].mean() for one in range(3)]
    assert found.gap.value == pytest.approx(max(each) - min(each))


def test_a_gap_that_may_be_chance_reaches_down_to_none() -> None:
    found = accuracy_gap("age", NAMES, *drawn((0.8, 0.8, 0.8), (50, 50, 50)))
    assert found is not None
    assert found.gap.value
    assert found.gap.low == 0
    assert found.verdict == "may be none"


@pytest.mark.parametrize(
    "truth", [(0.0, 0.0), (0.0, 2.0), (0.0, 0.0, 0.0), (0.0, 1.0, 4.0), (0.0, 0.0, 0.0, 4.0, 4.0, 4.0)]
)
def test_the_interval_holds_the_true_gap_whether_there_is_one_or_not(truth: tuple[float, ...]) -> None:
    """In standard errors; a percentile interval of the gap never holds 0."""
    random = np.random.default_rng(0)
    missed = 0
    for _ in range(300):
        value = np.array(truth) + random.normal(0, 1, len(truth))
        found = gap_between(value, value + random.normal(0, 1, (300, len(truth))), 0.95)
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= max(truth) <= found.high
    assert missed < 0.09 * 300


def test_resampled_people_keep_their_photos_together() -> None:
    """Of one level: the spread is that of people, of whom half are right on both photos and half on none."""
    level, person = np.zeros(80, np.int64), np.repeat(np.arange(40), 2)
    value, redrawn = resampled_accuracies(level, person % 2 == 0, person, levels=1, replicates=4000)
    assert value.tolist() == [0.5]
    assert redrawn.std() == pytest.approx((0.25 / 40) ** 0.5, rel=0.05)


def test_levels_of_few_people_are_left_out_and_counted() -> None:
    level, right, person = drawn((0.9, 0.5, 0.0, 0.0), (40, 40, 9, 20))
    level[level == 3] = -1
    found = accuracy_gap("age", NAMES, level, right, person)
    assert found is not None
    assert (found.best, found.worst, found.left_out) == ("young", "old", 1)
    assert accuracy_gap("age", NAMES, level[:90], right[:90], person[:90]) is None


def test_photos_without_a_level_or_a_person_are_no_obstacle() -> None:
    level, right, person = drawn((0.9, 0.5), (40, 40))
    level[:4], person[-4:] = -1, -1
    found = accuracy_gap("age", NAMES[:2], level, right, person)
    assert found is not None
    assert found.gap.value == pytest.approx(right[level == 0].mean() - right[level == 1].mean())


@pytest.mark.parametrize(
    ("second", "gap", "worst", "verdict"),
    [(True, 0.0, "b", "none found"), (False, 1.0, "b", "nobody can say")],
)
def test_levels_that_are_all_right_or_all_wrong_have_no_interval(
    second: bool, gap: float, worst: str, verdict: str
) -> None:
    person = np.arange(40)
    level = person % 2
    found = accuracy_gap("mask", ["a", "b"], level, np.where(level == 0, True, second), person)
    assert found is not None
    assert found.gap == Estimate(gap, None, None)
    assert (found.best, found.worst, found.verdict) == ("a", worst, verdict)


def test_levels_with_hardly_any_spread_have_the_gap_that_was_found() -> None:
    nearly = gap_between(np.array([0.0, 0.5]), np.array([[0.0, 0.5], [1e-9, 0.5]]), 0.95)
    assert nearly.low == pytest.approx(0.5)
    assert nearly.high == pytest.approx(0.5)
    together = gap_between(np.array([0.0, 0.5]), np.array([[0.0, 0.5], [0.125, 0.625]]), 0.95)
    assert together == Estimate(0.5, 0.5, 0.5)
