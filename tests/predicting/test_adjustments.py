"""Consensus and decisions on predictions."""

import logging

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import Header
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.predicting.adjustments import with_consensus, with_decision
from maskkit.predicting.consensus import agreed
from maskkit.scoring.panel import adjustments_of

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
    assert adjustments_of([given(), result]) == result.adjusted


@pytest.mark.parametrize("change", ["consensus", "decision"])
def test_nothing_is_done_twice_or_without_probabilities(change: str) -> None:
    def adjust(predictions: Predictions) -> Predictions:
        if change == "consensus":
            return with_consensus(predictions, PERSON, HOME)
        return with_decision(predictions, Decision.make(HOME, [], method="age"))

    once = adjust(given())
    with pytest.raises(MaskkitError, match=f"went through a {change} before"):
        adjust(once)
    with pytest.raises(MaskkitError, match="needs probabilities"):
        adjust(given(None))


def test_consensus_needs_people() -> None:
    with pytest.raises(MaskkitError, match="needs to know who is on the photos"):
        with_consensus(given(), np.full(6, -1), HOME)


def test_a_decision_of_another_task_is_refused() -> None:
    other = LabelSpace((Factor("helmet", ("yes", "no")),))
    with pytest.raises(MaskkitError, match="different label spaces"):
        with_decision(given(), Decision.make(other, [], method="classes"))
