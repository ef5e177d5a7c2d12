"""What tuning is said to bring."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from maskkit.artifacts.columns import SMALLEST
from maskkit.artifacts.decision import Decision
from maskkit.fitting.gain import Change, Tuned, changes_of_answers, changes_of_probabilities, measured
from maskkit.labels import HOME
from maskkit.scoring.metrics import log_loss
from maskkit.scoring.results import Estimate

PERSON = np.repeat(np.arange(20), 7)
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 18, 140)
PROBS = {
    name: RANDOM.dirichlet(np.full(18, 0.3), 140).astype(np.float32)
    for name in ("plain", "in_sample", "nested")
}


def of_gain(value: float, low: float | None, high: float | None) -> Tuned:
    change = Change("macro_f1", 0.6, 0.7, 0.6 + value, Estimate(value, low, high))
    return Tuned(Decision.make(HOME, [], method="age"), (change,), (), 140, 20, 5)


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (
            (0.013, -0.002, 0.027),
            "macro-F1 improves by 0.0130 (95% interval -0.0020 to +0.0270) on people it",
        ),
        ((0.013, -0.002, 0.027), "was not tuned on: inside the noise"),
        ((0.02, 0.01, 0.03), "better than the noise"),
        ((-0.02, -0.03, -0.01), "macro-F1 worsens by 0.0200"),
        ((-0.02, -0.03, -0.01), "worse than the noise, so better not used"),
        ((0.00001, -0.01, 0.01), "tuned age: macro-F1 stays (95%"),
        ((0.0, None, None), "(no interval: one person only)"),
    ],
)
def test_a_sentence_says_whether_it_is_noise(
    gain: tuple[float, float | None, float | None], said: str
) -> None:
    assert said in of_gain(*gain).sentence


def test_answers_are_scored_as_scikit_learn_does() -> None:
    answers = {name: probs.argmax(axis=1) for name, probs in PROBS.items()}
    f1, right = changes_of_answers(TRUTH, answers, space=HOME, person=PERSON)
    for name, answer in answers.items():
        expected = f1_score(TRUTH, answer, average="macro", zero_division=0)
        assert getattr(f1, name) == pytest.approx(expected)
        assert getattr(right, name) == pytest.approx(accuracy_score(TRUTH, answer))
    assert f1.gain.value == pytest.approx(f1.nested - f1.plain)
    assert f1.gain.low is not None
    assert f1.gain.high is not None
    assert f1.gain.low < f1.nested - f1.plain < f1.gain.high


def test_a_lower_cross_entropy_is_a_gain_with_an_interval_over_people() -> None:
    loss, error = changes_of_probabilities(TRUTH, PROBS, person=PERSON)
    rows = np.arange(140)
    each = {name: -np.log(np.maximum(probs[rows, TRUTH], SMALLEST)) for name, probs in PROBS.items()}
    assert loss.plain == pytest.approx(log_loss(TRUTH, PROBS["plain"]))
    assert loss.gain.value == pytest.approx((each["plain"] - each["nested"]).mean(), abs=1e-5)
    assert loss.gain.value == pytest.approx(loss.plain - loss.nested)
    assert error.gain.value == pytest.approx(error.plain - error.nested)
    # People have as many photos each: the normal interval of 20 means.
    own = (each["plain"] - each["nested"]).reshape(20, 7).mean(axis=1)
    half = 1.96 * own.std(ddof=1) / np.sqrt(20)
    assert loss.gain.low == pytest.approx(own.mean() - half, abs=0.2 * half)
    assert loss.gain.high == pytest.approx(own.mean() + half, abs=0.2 * half)


def test_one_person_gives_no_interval() -> None:
    loss, _ = changes_of_probabilities(TRUTH, PROBS, person=np.zeros(140, np.int64))
    assert (loss.gain.low, loss.gain.high) == (None, None)


def test_plain_values_say_it_all() -> None:
    data = measured(of_gain(0.02, 0.01, 0.03), consensus=True)
    assert data["changes"][0]["gain"] == {"value": 0.02, "low": 0.01, "high": 0.03}
    assert (data["people"], data["photos"], data["parts"], data["consensus"]) == (20, 140, 5, True)
