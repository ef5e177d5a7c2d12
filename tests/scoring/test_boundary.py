import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskkit.labels import HOME, Factor
from maskkit.scoring.boundary import boundaries, signed_distances

AGE = HOME.factors[2]


def test_the_nearest_cut_counts_and_the_lower_of_two_as_near() -> None:
    distance, cut = signed_distances(np.array([18.0, 29, 30, 44, 45, 46, 59, 60, 75, np.nan]), AGE.cuts)
    assert distance[:-1].tolist() == [-12, -1, 0, 14, 15, -14, -1, 0, 15]
    assert cut[:-1].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert np.isnan(distance[-1])


def test_errors_are_counted_by_distance_and_by_cut() -> None:
    ages = np.array([29.0, 29, 30, 30, 59, 59, 60, 15, 90, np.nan])
    wrong = np.array([1, 0, 0, 1, 1, 1, 0, 0, 1, 1])
    whole, thirty, sixty = boundaries(AGE, ages, wrong)
    assert (whole.cut, thirty.cut, sixty.cut) == (None, 30, 60)
    assert (whole.width, whole.unknown) == (1, 1)
    found = {step.label: (step.photos, step.error.value) for step in whole.steps}
    assert found == {"≤-10": (1, 0), "-1": (4, 0.75), "+0": (3, pytest.approx(1 / 3)), "≥+10": (1, 1)}
    assert [(step.label, step.error.value) for step in thirty.steps] == [
        ("≤-10", 0),
        ("-1", 0.5),
        ("+0", 0.5),
    ]
    assert [step.distance for step in sixty.steps] == [-1, 0, 10]


def test_intervals_are_over_people() -> None:
    ages = np.repeat([28.0, 29.0], 20)
    wrong = np.tile([0, 1], 20)
    alone = boundaries(AGE, ages, wrong)[0].steps[0]
    person = np.repeat([0, 1, 2, 3], 10)
    together = boundaries(AGE, ages, wrong, person=person)[0].steps[0]
    assert (alone.people, together.people) == (20, 2)
    assert alone.error.value == together.error.value == 0.5
    assert alone.error.low is not None
    assert alone.error.low < 0.5
    assert together.error.low is not None
    assert together.error.low < alone.error.low  # two people say less than twenty photos of twenty
    one = boundaries(AGE, ages[:20], wrong[:20], person=np.zeros(20, np.int64))[0].steps[0]
    assert one.error.low is None


def test_a_factor_of_unknown_numbers_has_no_boundary() -> None:
    assert boundaries(AGE, np.full(3, np.nan), np.array([0, 1, 0])) == []


def test_numbers_that_are_no_years_are_taken_in_round_steps() -> None:
    height = Factor("height", ("low", "high"), cuts=(1.70,))
    metres = 1.70 + np.random.default_rng(0).normal(0, 0.2, 500)
    (found,) = boundaries(height, metres, np.zeros(500, np.int64))
    assert found.width in (0.01, 0.02)
    income = Factor("income", ("low", "high"), cuts=(30_000,))
    (found,) = boundaries(income, np.linspace(0, 90_000, 91).round(), np.zeros(91, np.int64))
    assert found.width == 5000


@given(arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 100).map(float)))
def test_every_photo_is_in_one_step(ages: np.ndarray) -> None:
    whole, *cuts = boundaries(AGE, ages, np.ones(len(ages), np.int64))
    assert sum(step.photos for step in whole.steps) == len(ages)
    assert sum(step.photos for one in cuts for step in one.steps) == len(ages)
    assert all(step.error.value == 1 for step in whole.steps)
