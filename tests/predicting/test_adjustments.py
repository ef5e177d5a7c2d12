"""Consensus and decisions on predictions."""

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import Header
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.predicting.adjustments import agreed, with_consensus, with_decision
from maskkit.scoring.panel import facts_of

PROBS = np.random.default_rng(0).dirichlet(np.ones(18), size=6).astype(np.float32)
PERSON = np.array([0, 0, 0, 1, 1, -1])


def given(probs: np.ndarray | None = PROBS) -> Predictions:
    path = pa.array([f"{row}.jpg" for row in range(6)])
    answer = np.zeros(6, np.int64) if probs is None else probs.argmax(1)
    return Predictions(path, answer, probs, tuple(HOME.names), header=Header("predictions", HOME))


def test_consensus_is_loud_and_in_the_header(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        result = with_consensus(given(), PERSON, HOME)
    assert result.probs == pytest.approx(agreed(PROBS, PERSON, HOME), abs=1e-6)
    assert (result.answer == result.probs.argmax(1)).all()
    assert result.adjusted["consensus"] == {
        "by": "person", "factors": ["gender", "age"], "people": 2, "photos": 5
    }  # fmt: skip
    assert "the 5 photos of 2 people agreed on their gender and age" in caplog.text


def test_a_decision_changes_the_answers_and_the_header_names_it() -> None:
    decision = Decision.make(HOME, [], method="classes", offsets=[9.0] + [0.0] * 17)
    result = with_decision(given(), decision)
    assert (result.answer == 0).all()
    assert result.adjusted == {"decision": {"method": "classes", "sha256": decision.as_input().sha256}}
    assert facts_of([given(), result]) == {"leaked": 0, **result.adjusted}


@pytest.mark.parametrize("change", ["consensus", "decision"])
def test_nothing_is_done_twice_or_without_probabilities(change: str) -> None:
    def adjust(predictions: Predictions) -> Predictions:
        if change == "consensus":
            return with_consensus(predictions, PERSON, HOME)
        return with_decision(predictions, Decision.make(HOME, [], method="age"))

    once = adjust(given())
    with pytest.raises(MaskkitError, match=f"went through a {change} before"):
        adjust(once)
    with pytest.raises(MaskkitError, match="has answers only"):
        adjust(given(None))


def test_consensus_needs_people() -> None:
    with pytest.raises(MaskkitError, match="needs to know who is on the photos"):
        with_consensus(given(), np.full(6, -1), HOME)


def test_a_decision_of_another_task_is_refused() -> None:
    other = LabelSpace((Factor("helmet", ("yes", "no")),))
    with pytest.raises(MaskkitError, match="different label spaces"):
        with_decision(given(), Decision.make(other, [], method="classes"))


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


@drawn(st.integers(0, 2**32 - 1))
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
