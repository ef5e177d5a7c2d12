"""Photos of a person agree on gender and age."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.predicting.consensus import agreed

SMALL = LabelSpace((Factor("mask", ("on", "off")), Factor("gender", ("male", "female"), personal=True)))


def test_by_hand_for_two_photos_of_one_person() -> None:
    # Photo 1: p(male) 0.9; photo 2: p(male) 0.4. Geometric: 0.6 against sqrt(0.06), so p(male) is 0.710.
    probs = np.array([[0.63, 0.07, 0.27, 0.03], [0.08, 0.12, 0.32, 0.48]])
    male = 0.6 / (0.6 + 0.06**0.5)
    expected = [
        [0.7 * male, 0.7 * (1 - male), 0.3 * male, 0.3 * (1 - male)],
        [0.2 * male, 0.2 * (1 - male), 0.8 * male, 0.8 * (1 - male)],
    ]
    assert agreed(probs, np.array([5, 5]), SMALL) == pytest.approx(np.array(expected))


@given(st.integers(0, 2**32 - 1))
def test_marginals_agree_within_a_person_and_nothing_else_changes(seed: int) -> None:
    random = np.random.default_rng(seed)
    probs = random.dirichlet(np.full(len(HOME), 0.3), size=12)
    person = random.integers(-1, 4, size=12)
    result = agreed(probs, person, HOME)
    assert result.sum(axis=1) == pytest.approx(1)
    assert (result[person < 0] == probs[person < 0]).all()
    marginal = result.reshape(-1, 3, 6).sum(axis=1)  # of gender and age together
    for one in np.unique(person[person >= 0]):
        assert np.ptp(marginal[person == one], axis=0).max() < 1e-5
    alone = np.flatnonzero(np.bincount(person[person >= 0], minlength=4)[person] == 1)
    alone = alone[person[alone] >= 0]
    assert result[alone] == pytest.approx(probs[alone], abs=1e-5)


def test_a_task_without_personal_factors_is_refused() -> None:
    space = LabelSpace(tuple(replace(factor, personal=False) for factor in HOME.factors))
    with pytest.raises(MaskkitError, match="no factor that all photos of a person share"):
        agreed(np.full((2, 18), 1 / 18), np.array([0, 0]), space)
