import numpy as np
import pytest

from maskkit.fitting.blend import MemberPair, pairs

TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])


def test_counts_by_hand() -> None:
    # Right together 5 times, the first alone 2, the second alone 1, neither 2; the last photo is answered
    # alike and wrongly, the one before it differently.
    first = np.array([0, 0, 0, 0, 1, 1, 1, 0, 0, 1])
    second = np.array([0, 0, 0, 0, 1, 0, 0, 1, 1, 1])
    (pair,) = pairs([first, second], TRUTH)
    assert pair.disagreement == pytest.approx(4 / 10)
    assert pair.double_fault == pytest.approx(2 / 10)
    assert pair.q_statistic == pytest.approx((5 * 2 - 2 * 1) / (5 * 2 + 2 * 1))


def test_copies_have_a_q_of_one_and_members_wrong_in_turn_of_less_than_zero() -> None:
    one = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0])
    other = np.array([1, 1, 0, 0, 1, 1, 1, 1, 2, 2])
    assert list(pairs([one, one], TRUTH)) == [MemberPair(0, 1, 0.0, 0.2, 1.0)]
    assert list(pairs([one, other], TRUTH)) == [MemberPair(0, 1, 0.4, 0.0, -1.0)]


def test_where_nobody_is_ever_wrong_there_is_no_q() -> None:
    assert list(pairs([TRUTH, TRUTH], TRUTH)) == [MemberPair(0, 1, 0.0, 0.0, None)]
