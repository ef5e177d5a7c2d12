from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from members import average
from numpy.typing import NDArray
from scipy.stats import rankdata

from maskkit.errors import MaskkitError
from maskkit.predicting.averaging import AVERAGES
from maskkit.predicting.votes import agreement, borda, hard_vote, soft_vote
from maskkit.scoring.metrics import Integers


def test_gives_each_row_to_the_class_with_most_votes() -> None:
    answers = np.array([[0, 1, 2], [1, 1, 2], [1, 0, 2]])
    winner, tied = hard_vote(answers)
    assert winner.tolist() == [1, 1, 2]
    assert not tied.any()


def test_breaks_a_tie_by_the_order_of_the_files_without_probabilities() -> None:
    answers = np.array([[2], [0], [1], [1], [2]])  # 1 and 2 have two votes each; file 1 said 2
    winner, tied = hard_vote(answers)
    assert (winner.tolist(), tied.tolist()) == ([2], [True])
    assert hard_vote(answers[::-1][1:])[0].tolist() == [1]


def test_never_gives_a_tie_to_a_class_that_is_not_part_of_it() -> None:
    answers = np.array([[0], [1], [2], [1], [2]])  # the first file's own answer lost
    winner, tied = hard_vote(answers)
    assert (winner.tolist(), tied.tolist()) == ([1], [True])


def test_breaks_a_tie_by_the_sum_of_probabilities_and_then_by_the_order_of_the_files() -> None:
    answers = np.array([[0, 0, 0], [1, 1, 1]])
    first = [[0.6, 0.4, 0.0], [0.5, 0.3, 0.2], [0.6, 0.4, 0.0]]
    second = [[0.1, 0.9, 0.0], [0.2, 0.4, 0.4], [0.4, 0.6, 0.0]]
    probs = np.array([first, second], dtype=np.float32)
    winner, tied = hard_vote(answers, probs=probs)
    assert winner.tolist() == [1, 0, 0]  # 0.7 < 1.3, 0.7 = 0.7 (file 1 said 0), 1 = 1
    assert tied.all()


def test_weighs_votes_and_the_probabilities_that_break_ties() -> None:
    answers = np.array([[0, 0], [1, 1], [1, 0]])
    assert hard_vote(answers, weights=[3, 1, 1])[0].tolist() == [0, 0]
    probs = np.array([[[0.6, 0.4]], [[0.45, 0.55]], [[0.3, 0.7]]])
    winner, tied = hard_vote(answers[:, :1], probs=probs, weights=[2, 1, 1])
    assert tied.all()
    assert winner.tolist() == [1]  # 2 * 0.6 + 0.45 + 0.3 = 1.95 < 2.05
    assert hard_vote(answers[:, :1], weights=[2, 1, 1])[0].tolist() == [0]


def test_sees_a_tie_in_weights_that_differ_by_rounding_only() -> None:
    for order in permutations([(0.1, 0), (0.2, 0), (0.3, 1)]):
        weights, answers = zip(*order, strict=True)
        winner, tied = hard_vote(np.array(answers)[:, None], weights=weights)
        assert tied.all()  # although 0.1 + 0.2 > 0.3 in floating point
        assert winner.tolist() == [answers[0]]


def test_gives_a_file_of_weight_zero_no_say_in_a_tie() -> None:
    answers = np.array([[1], [0], [1]])
    winner, tied = hard_vote(answers, weights=[0, 1, 1])
    assert (winner.tolist(), tied.tolist()) == ([0], [True])


@given(
    arrays(np.int16, st.tuples(st.integers(1, 5), st.integers(1, 8)), elements=st.integers(0, 3)), st.data()
)
def test_agrees_with_a_vote_counted_row_by_row(answers: Integers, data: st.DataObject) -> None:
    probs = data.draw(arrays(np.float64, (*answers.shape, 4), elements=st.integers(0, 3)))
    winner, tied = hard_vote(answers, probs=probs)
    for row, cast in enumerate(answers.T.tolist()):
        votes = [cast.count(option) for option in range(4)]
        support = probs[:, row].sum(axis=0)
        best = max(cast, key=lambda option: (votes[option], support[option], -cast.index(option)))
        assert winner[row] == best
        assert tied[row] == (votes.count(max(votes)) > 1)


def test_averages_probabilities() -> None:
    first, second = np.array([[1.0, 0.0], [0.2, 0.8]]), np.array([[0.5, 0.5], [0.6, 0.4]])
    blended = soft_vote([first, second])
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, [[0.75, 0.25], [0.4, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(soft_vote([first, second], weights=[3, 1])[0], [0.875, 0.125])


def test_blends_across_blocks_into_rows_that_sum_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    probs = np.random.default_rng(0).dirichlet(np.ones(18), size=(3, 101)).astype(np.float32)
    at_once = soft_vote(probs)
    monkeypatch.setattr("maskkit.predicting.votes._BLOCK", 10)
    assert np.array_equal(at_once, soft_vote(probs))
    np.testing.assert_allclose(at_once.sum(axis=1), 1, atol=1e-6)


def test_measures_how_often_two_models_agree() -> None:
    answers = np.array([[0, 1, 2, 3], [0, 1, 2, 0], [1, 0, 3, 2]])
    np.testing.assert_array_equal(agreement(answers), [[1, 0.75, 0], [0.75, 1, 0], [0, 0, 1]])


def test_refuses_votes_that_cannot_be_counted() -> None:
    answers = np.zeros((2, 3), dtype=np.int64)
    with pytest.raises(MaskkitError, match="nothing to vote"):
        hard_vote(answers[:0])
    with pytest.raises(MaskkitError, match="cannot weigh 2 models"):
        hard_vote(answers, weights=[1])
    with pytest.raises(MaskkitError, match="cannot weigh 2 models"):
        hard_vote(answers, weights=[1, np.nan])


def test_long_files_are_voted_on_like_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(4), (3, 100)).astype(np.float32)
    answers = probs.argmax(2)
    whole = [hard_vote(answers), hard_vote(list(answers), probs=list(probs))]
    monkeypatch.setattr("maskkit.predicting.votes._BLOCK", 7)
    parts = [hard_vote(answers), hard_vote(list(answers), probs=list(probs))]
    for (winner, tied), (expected, expected_tied) in zip(parts, whole, strict=True):
        assert np.array_equal(winner, expected)
        assert np.array_equal(tied, expected_tied)


def test_counts_bordas_points_within_a_photo() -> None:
    # Four classes share 3 + 2 + 1 + 0 points; the two that tie for the last place have half a point each.
    shares = borda(np.array([[0.1, 0.6, 0.2, 0.1]]))
    np.testing.assert_allclose(shares, [[0.5 / 6, 3 / 6, 2 / 6, 0.5 / 6]])


def test_a_sure_model_weighs_no_more_in_a_vote_of_ranks() -> None:
    sure, unsure = np.array([[0.98, 0.01, 0.01]]), np.array([[0.33, 0.35, 0.32]])
    other = np.array([[0.3, 0.4, 0.3]])
    # Points of the first class: 2 + 1 + 0.5; of the second: 0.5 + 2 + 2.
    blend = soft_vote([sure, unsure, other], how="rank")
    np.testing.assert_allclose(blend, [[3.5 / 9, 4.5 / 9, 1 / 9]], atol=2e-3)
    assert soft_vote([sure, unsure, other]).argmax(1).tolist() == [0]


def test_a_tie_of_ranks_goes_to_the_class_with_the_larger_sum_of_probabilities() -> None:
    one, other = np.array([[0.5, 0.4, 0.1]]), np.array([[0.1, 0.9, 0.0]])
    # The first two classes have three points each.
    assert soft_vote([one, np.array([[0.2, 0.6, 0.2]])], how="rank").argmax(1).tolist() == [1]
    assert soft_vote([other[:, [1, 0, 2]], one[:, [1, 0, 2]]], how="rank").argmax(1).tolist() == [0]


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 7)), elements=st.integers(0, 3)))
def test_bordas_points_are_mean_ranks(values: NDArray[np.float32]) -> None:
    points = rankdata(values, method="average", axis=1) - 1
    np.testing.assert_allclose(borda(values), points / points.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("how", AVERAGES)
def test_a_pool_is_the_average_of_its_name(how: str) -> None:
    probs = list(np.random.default_rng(0).dirichlet(np.ones(4), (3, 50)).astype(np.float32))
    expected = average(probs, how, weights=[3, 1, 2])
    np.testing.assert_allclose(soft_vote(probs, weights=[3, 1, 2], how=how), expected, atol=1e-6)


@given(st.integers(1, 4), st.sampled_from([*AVERAGES, "rank"]), st.integers(0, 99))
def test_equal_models_answer_as_one_of_them(models: int, how: str, seed: int) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.ones(5), 20).astype(np.float32)
    blend = soft_vote([probs] * models, how=how)
    np.testing.assert_array_equal(blend.argmax(1), probs.argmax(1))
    np.testing.assert_allclose(blend.sum(axis=1), 1, atol=1e-6)
