"""Calibration against numbers worked by hand, scikit-learn and torch."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from maskkit.errors import MaskkitError
from maskkit.scoring.calibration import calibration


def test_four_photos_by_hand() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]])
    found = calibration(np.array([0, 0, 0, 1]), probs, bins=2)
    # All answers lie in the upper half: said 0.9, 0.8, 0.6, 0.55, right yes, no, yes, yes.
    assert (found.photos, found.bins[0].photos, found.bins[1].photos) == (4, 0, 4)
    assert found.bins[0].confidence is found.bins[0].accuracy is None
    assert found.bins[1].confidence == pytest.approx(0.7125)
    assert found.bins[1].accuracy == 0.75
    assert found.ece == found.max_error == pytest.approx(0.0375)
    # 0.01 + 0.01, 0.64 + 0.64, 0.16 + 0.16, 0.2025 + 0.2025
    assert found.brier == pytest.approx((0.02 + 1.28 + 0.32 + 0.405) / 4)
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.55]).mean())


def test_bins_are_weighted_by_their_photos() -> None:
    probs = np.array([[0.95, 0.05], [0.95, 0.05], [0.95, 0.05], [0.65, 0.35]])
    found = calibration(np.array([0, 0, 1, 1]), probs, bins=10)
    assert found.bins[9].accuracy == pytest.approx(2 / 3)
    assert found.max_error == pytest.approx(0.65)
    assert found.ece == pytest.approx(0.75 * (0.95 - 2 / 3) + 0.25 * 0.65)


def test_the_end_of_a_bin_belongs_to_it() -> None:
    found = calibration(np.array([0, 1]), np.array([[0.5, 0.5], [0.0, 1.0]]), bins=4)
    assert [one.photos for one in found.bins] == [0, 1, 0, 1]
    assert [(one.low, one.high) for one in found.bins] == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]


@given(st.integers(0, 100), st.integers(1, 20))
def test_agrees_with_scikit_learn(seed: int, bins: int) -> None:
    random = np.random.default_rng(seed)
    probs, truth = random.dirichlet(np.ones(4), size=60), random.integers(0, 4, 60)
    found = calibration(truth, probs, bins=bins)
    right = probs.argmax(axis=1) == truth
    accuracy, confidence = calibration_curve(right, probs.max(axis=1), n_bins=bins)
    used = [one for one in found.bins if one.photos]
    assert [one.accuracy for one in used] == pytest.approx(accuracy)
    assert [one.confidence for one in used] == pytest.approx(confidence)
    assert found.log_loss == pytest.approx(log_loss(truth, probs, labels=range(4)))
    one_against_rest = [brier_score_loss(truth == one, probs[:, one]) for one in range(4)]
    assert found.brier == pytest.approx(sum(one_against_rest))
    # Bins that are joined can only hide errors of opposite signs.
    assert abs(found.confidence - found.accuracy) <= found.ece + 1e-12 <= found.max_error + 2e-12


def test_sure_and_right_is_calibrated() -> None:
    found = calibration(np.array([0, 1, 2]), np.eye(3, dtype=np.float32))
    assert (found.ece, found.max_error, found.brier, found.log_loss) == pytest.approx((0, 0, 0, 0), abs=2e-7)
    assert found.bins[-1].photos == 3


def test_plain_values_say_all() -> None:
    data = asdict(calibration(np.array([0, 1]), np.full((2, 2), 0.5), bins=2))
    assert data["bins"][0] == {"low": 0, "high": 0.5, "photos": 2, "confidence": 0.5, "accuracy": 0.5}


def test_refuses_no_photos_and_no_bins() -> None:
    with pytest.raises(MaskkitError, match="probabilities of shape"):
        calibration(np.empty(0, np.int64), np.empty((0, 2)))
    with pytest.raises(MaskkitError, match="cannot make 0 bins"):
        calibration(np.array([0]), np.array([[1.0, 0.0]]), bins=0)
