"""Tuning: what has an offset, which one it gets, and that nobody's own truth decides their answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from maskkit.errors import MaskkitError
from maskkit.fitting.offsets import RIDGE, ascend, calibrated, nested, terms, tune
from maskkit.fitting.temperature import fit_temperature
from maskkit.labels import HOME, Factor, LabelSpace

BANDS = LabelSpace((Factor("age", ("young", "old"), cuts=(60,)),))
METHODS = ["classes", "factors", "mask", "age"]


def drawn(seed: int, *, rows: int = 400, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw truths of the home task, and probabilities of a model that is against people of 60 and over."""
    random = np.random.default_rng(seed)
    prior = np.log(random.dirichlet(np.ones(18)))
    honest = softmax(random.normal(0, 2, (rows, 18)) + prior, axis=1)
    truth = np.array([random.choice(18, p=row) for row in honest])
    return truth, softmax(np.log(honest) - tilt * (np.arange(18) % 3 == 2), axis=1).astype(np.float32)


def macro_f1(truth: np.ndarray, probs: np.ndarray) -> float:
    return float(f1_score(truth, probs.argmax(axis=1), labels=range(18), average="macro", zero_division=0))


def test_each_method_names_what_gets_an_offset() -> None:
    assert [term.name for term in terms(HOME, "classes")] == HOME.names
    assert [term.name for term in terms(HOME, "age")] == ["age 30to59", "age 60plus"]
    assert [term.name for term in terms(HOME, "factors")] == [
        "mask incorrect", "mask none", "gender female", "age 30to59", "age 60plus"
    ]  # fmt: skip
    oldest = terms(HOME, "age")[1]
    assert [HOME.names[place] for place in np.flatnonzero(oldest.classes)] == [
        name for name in HOME.names if name.endswith("60plus")
    ]
    assert terms(HOME, "temperature") == ()
    with pytest.raises(MaskkitError, match="cannot tune 'Age'"):
        terms(HOME, "Age")


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(METHODS))
def test_where_the_truth_is_known_no_macro_f1_is_lower_than_before(seed: int, method: str) -> None:
    truth, probs = drawn(seed, rows=60)
    logs, chosen = np.log(probs.astype(np.float64)), terms(HOME, method)
    found = ascend(logs, np.eye(18)[truth], chosen)
    offsets = found @ np.stack([term.classes for term in chosen])
    assert macro_f1(truth, logs + offsets) >= macro_f1(truth, logs) - 1e-9
    assert np.abs(found).max() <= 5


def test_an_offset_of_age_moves_the_threshold() -> None:
    # A model that says the age: old with the probability of a logistic curve around 60 years, but people are
    # old from 55 on for it. The offset brings the threshold back: log odds at 60 are (60 - 55) / 2.
    age = np.arange(30, 90, 0.05)
    odds = (age - 55) / 2
    probs = softmax(np.stack([np.zeros(len(age)), odds], axis=1), axis=1)
    random = np.random.default_rng(0)
    truth = (random.random(len(age)) < 1 / (1 + np.exp(-(age - 60) / 2))).astype(np.int64)
    decision = tune(truth, probs, BANDS, "age")
    answer = decision.applied(probs).argmax(axis=1)
    assert age[answer == 1].min() == pytest.approx(60, abs=0.6)
    assert decision.measured["offsets"] == {"age old": pytest.approx(-2.5, abs=0.3)}
    assert decision.offsets[0] == 0


@pytest.mark.parametrize("method", ["classes", "factors", "age"])
def test_a_model_that_is_against_a_level_is_put_right(method: str) -> None:
    truth, probs = drawn(3, rows=4000, tilt=2.0)
    own, other = slice(0, 2000), slice(2000, None)
    decision = tune(truth[own], probs[own], HOME, method)
    assert (
        macro_f1(truth[other], decision.applied(probs[other])) > macro_f1(truth[other], probs[other]) + 0.03
    )
    offsets = np.array(decision.offsets).reshape(3, 2, 3)
    assert (offsets[..., 2] - offsets[..., 0]).mean() == pytest.approx(2, abs=0.8)


def test_calibrating_is_a_ridge_regression_of_the_classes() -> None:
    # Two classes: P(1) = sigmoid(a * log odds + b1 - b0), and both offsets share the ridge, b1 = -b0 = b / 2.
    random = np.random.default_rng(1)
    odds = random.normal(0, 2, 300)
    truth = (random.random(300) < 1 / (1 + np.exp(-0.5 * odds - 1))).astype(np.int64)
    logs = np.log(softmax(np.stack([-odds / 2, odds / 2], axis=1), axis=1))
    found = calibrated(truth, logs, terms(BANDS, "classes"))
    # scikit-learn's ridge is w ** 2 / (2 C), but for the intercept: a column of ones has it, and the other
    # column, made a thousand times as large, as good as none. 2 * RIDGE * (b / 2) ** 2 = b ** 2 / (2 C).
    design = np.stack([1000 * odds, np.ones(300)], axis=1)
    expected = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-10, max_iter=1000).fit(
        design, truth
    )
    assert found[:, 1] == pytest.approx(expected.predict_proba(design)[:, 1], abs=1e-4)


@pytest.mark.parametrize("method", ["classes", "temperature"])
def test_nobody_is_decided_by_their_own_truth(method: str) -> None:
    truth, probs = drawn(4, rows=300)
    part = np.arange(300) % 5
    decided, before = nested(truth, probs, part, HOME, method)
    lied = np.where(part == 2, (truth + 1) % 18, truth)
    decided_again, after = nested(lied, probs, part, HOME, method)
    assert (decided[part == 2] == decided_again[part == 2]).all()
    assert before[2] == after[2]
    assert before[0] != after[0]


def test_a_temperature_changes_no_answer() -> None:
    truth, probs = drawn(5)
    decision = tune(truth, probs, HOME, "temperature")
    assert decision.temperature == fit_temperature(truth, probs)
    assert set(decision.offsets) == {0}
    assert (decision.applied(probs).argmax(axis=1) == probs.argmax(axis=1)).all()


def test_a_class_without_photos_and_a_vote_without_doubt_are_no_trouble() -> None:
    truth = np.array([0, 1, 2, 1])
    sure = np.eye(18, dtype=np.float32)[truth]
    for method in ("classes", "factors"):
        assert (tune(truth, sure, HOME, method).applied(sure).argmax(axis=1) == truth).all()


def test_the_same_photos_give_the_same_offsets() -> None:
    truth, probs = drawn(6)
    assert tune(truth, probs, HOME, "classes") == tune(truth, probs, HOME, "classes")
