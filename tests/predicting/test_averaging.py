"""Averages of probabilities."""

import numpy as np
import pytest
from members import average
from scipy.special import expit, log_softmax, logit, softmax
from scipy.stats import gmean

from maskkit.predicting.averaging import AVERAGES

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(3, 40, 5)) * 2  # (models, photos, classes)
PROBS = softmax(LOGITS, axis=2)


@pytest.mark.parametrize("how", AVERAGES)
def test_rows_sum_to_one_and_equal_members_change_nothing(how: str) -> None:
    assert average(list(PROBS), how).sum(axis=1) == pytest.approx(1)
    assert average([PROBS[0]] * 4, how) == pytest.approx(PROBS[0], abs=1e-7)


def test_mean_is_numpys_weighted_mean() -> None:
    assert average(list(PROBS), weights=[1, 2, 1]) == pytest.approx(
        np.average(PROBS, axis=0, weights=[1, 2, 1])
    )


def test_geometric_is_scipys_geometric_mean_made_to_sum_to_one() -> None:
    mean = gmean(PROBS, axis=0)
    assert average(list(PROBS), "geometric") == pytest.approx(mean / mean.sum(axis=1, keepdims=True))


def test_geometric_equals_the_softmax_of_the_mean_of_logits() -> None:
    assert average(list(PROBS), "geometric") == pytest.approx(softmax(LOGITS.mean(axis=0), axis=1))
    assert np.exp(log_softmax(LOGITS.mean(axis=0), axis=1)) == pytest.approx(
        average(list(PROBS), "geometric")
    )


def test_logit_is_the_mean_of_log_odds() -> None:
    odds = expit(logit(PROBS).mean(axis=0))
    assert average(list(PROBS), "logit") == pytest.approx(odds / odds.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("how", AVERAGES)
def test_zeros_and_ones_give_finite_probabilities(how: str) -> None:
    sure = np.eye(3)[[0, 1]]
    result = average([sure, sure[::-1]], how)
    assert np.isfinite(result).all()
    assert result[0, :2] == pytest.approx([0.5, 0.5], abs=1e-3)
