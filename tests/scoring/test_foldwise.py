import numpy as np
import pytest
from scipy import stats

from maskkit.scoring.run_comparison import fold_difference

FIRST = np.array([0.60, 0.65, 0.70, 0.62, 0.68])
SECOND = np.array([0.62, 0.66, 0.74, 0.61, 0.72])


def test_is_the_corrected_t_interval_worked_by_hand() -> None:
    # differences .02 .01 .04 -.01 .04: mean .02, squared deviations 0 1 4 9 4 (x 1e-4), variance 4.5e-4;
    # (1/5 + 1/4) x 4.5e-4 = 2.025e-4, its root 0.014230; t of 4 degrees of freedom 2.7764
    found = fold_difference(FIRST, SECOND)
    assert found.value == pytest.approx(0.02)
    assert found.low == pytest.approx(0.02 - 2.7764 * 0.014230, abs=1e-5)
    assert found.high == pytest.approx(0.02 + 2.7764 * 0.014230, abs=1e-5)


def test_is_one_and_a_half_times_as_wide_as_the_plain_paired_t_interval_of_five_folds() -> None:
    found = fold_difference(FIRST, SECOND, confidence=0.9)
    plain = stats.ttest_rel(SECOND, FIRST).confidence_interval(0.9)
    assert found.high is not None
    assert found.low is not None
    assert found.high - found.low == pytest.approx((plain.high - plain.low) * np.sqrt(1 + 5 / 4))


def test_one_fold_has_a_difference_and_no_interval() -> None:
    found = fold_difference(FIRST[:1], SECOND[:1])
    assert found.value == pytest.approx(0.02)
    assert (found.low, found.high) == (None, None)
