from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from members import drawn_panel, only
from sklearn.metrics import f1_score

from maskkit.fitting.member_weights import greedy
from maskkit.options.train_options import Vote
from maskkit.predicting.blend_rule import Rule
from maskkit.scoring.metrics import Integers
from maskkit.scoring.panel import Panel

VOTES: list[Vote] = ["hard", "soft", "geometric", "logit", "rank"]


def score(panel: Panel, truth: Integers, vote: Vote, weights: Integers) -> float:
    """The macro-F1 of a vote, by the vote itself and scikit-learn."""
    answer = Rule(vote, tuple(weights.astype(float).tolist())).blended(panel).answer
    return float(f1_score(truth, answer, average="macro"))


def drawn(seed: int, *, rows: int = 60, with_probs: bool = True) -> tuple[Panel, Integers]:
    truth = np.random.default_rng(seed).integers(0, 4, rows)
    panel = drawn_panel(truth, classes=4, skill=(1.2, 1.0, 0.8, 1.1), seed=seed)
    return (panel if with_probs else Panel(panel.answers, None, 4)), truth


@pytest.mark.parametrize("with_probs", [True, False])
@pytest.mark.parametrize("vote", VOTES)
def test_each_step_adds_the_member_with_which_the_vote_scores_best(vote: Vote, with_probs: bool) -> None:
    if vote != "hard" and not with_probs:
        return
    for seed in range(4):
        panel, truth = drawn(seed, with_probs=with_probs)
        chosen, scores, votes = np.zeros(4, int), [], []
        for _ in range(8):
            with_each = [score(panel, truth, vote, chosen + one) for one in np.eye(4, dtype=int)]
            chosen = chosen + np.eye(4, dtype=int)[int(np.argmax(with_each))]
            scores.append(max(with_each))
            votes.append(chosen)
        found = greedy(panel, truth, vote=vote, rounds=8)
        assert found.tolist() == votes[int(np.argmax(scores))].tolist()


@pytest.mark.parametrize("vote", VOTES)
def test_comes_close_to_the_best_of_all_votes_and_is_never_worse_than_the_best_member(vote: Vote) -> None:
    panel, truth = drawn(7)
    every = [
        np.bincount(members, minlength=4)
        for size in range(1, 6)
        for members in combinations_with_replacement(range(4), size)
    ]
    best = max(score(panel, truth, vote, weights) for weights in every)
    alone = max(score(panel, truth, vote, weights) for weights in np.eye(4, dtype=int))
    found = score(panel, truth, vote, greedy(panel, truth, vote=vote, rounds=5))
    assert alone < found <= best
    assert found > best - 0.03


def test_takes_no_more_members_than_allowed() -> None:
    panel, truth = drawn(1)
    assert greedy(panel, truth, vote="soft", most_members=1).tolist() == [1, 0, 0, 0]
    assert (greedy(panel, truth, vote="soft", most_members=2) > 0).sum() <= 2


def test_of_members_that_are_as_good_the_first_is_chosen() -> None:
    panel, truth = drawn(2)
    twins = only(panel, [1, 1, 1])
    assert greedy(twins, truth, vote="soft").tolist() == [1, 0, 0]


def test_a_tied_hard_vote_without_probabilities_goes_to_the_earliest_member_that_has_a_vote() -> None:
    # Each of three members alone has half of the photos right. Of two that differ, the earlier one wins.
    truth = np.array([0, 1, 2, 3, 0, 1])
    answers = [np.array([3, 3, 3, 3, 0, 1]), np.array([0, 1, 0, 0, 3, 3]), np.array([0, 1, 2, 0, 0, 0])]
    panel = Panel(answers, None, 4)
    assert score(panel, truth, "hard", greedy(panel, truth, vote="hard")) == pytest.approx(
        max(score(panel, truth, "hard", np.array(one)) for one in np.ndindex(4, 4, 4) if any(one))
    )


@given(st.integers(0, 50), st.sampled_from(VOTES), st.permutations(range(60)))
def test_the_order_of_photos_changes_nothing(seed: int, vote: Vote, order: list[int]) -> None:
    panel, truth = drawn(seed)
    rows = np.array(order)
    found = greedy(panel, truth, vote=vote, rounds=6)
    assert greedy(panel.take(rows), truth[rows], vote=vote, rounds=6).tolist() == found.tolist()


def test_members_that_agree_on_everything_are_one() -> None:
    panel, truth = drawn(3)
    assert greedy(only(panel, [0, 0]), truth, vote="hard").tolist() == [1, 0]
