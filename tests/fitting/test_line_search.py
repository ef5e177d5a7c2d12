"""The exact search along a line against a grid scored by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from maskkit.fitting.line_search import line

GRID = np.linspace(-2.9, 2.9, 21)


def drawn(seed: int, *, rows: int = 25, classes: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw truths (a class is never one), scores, and which classes move."""
    random = np.random.default_rng(seed)
    moved = np.zeros(classes, np.bool_)
    moved[random.permutation(classes)[: random.integers(1, classes)]] = True
    return random.integers(0, classes - 1, rows), random.normal(size=(rows, classes)), moved


def macro_f1(truth: np.ndarray, scores: np.ndarray) -> float:
    labels = range(scores.shape[1])
    return float(f1_score(truth, scores.argmax(axis=1), labels=labels, average="macro", zero_division=0))


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_is_the_macro_f1_of_every_shift_of_a_grid(seed: int) -> None:
    truth, scores, moved = drawn(seed)
    along = line(scores, moved, np.eye(4)[truth], bound=3)
    expected = [macro_f1(truth, scores + shift * moved) for shift in GRID]
    assert [along.at(shift) for shift in GRID] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_finds_a_shift_that_no_other_of_a_grid_beats(seed: int) -> None:
    truth, scores, moved = drawn(seed)
    shift, height = line(scores, moved, np.eye(4)[truth], bound=3).best()
    assert macro_f1(truth, scores + shift * moved) == pytest.approx(height, abs=1e-12)
    assert height >= max(macro_f1(truth, scores + one * moved) for one in GRID) - 1e-9


def test_of_the_best_it_takes_the_one_nearest_to_zero_in_the_middle_of_its_step() -> None:
    # One photo of class 1, which is behind by 2: every shift from 2 on has it right.
    scores = np.array([[2.0, 0.0], [9.0, 0.0]])
    along = line(scores, np.array([False, True]), np.eye(2)[[1, 0]], bound=5)
    assert along.ends.tolist() == [-5, 2, 5]
    assert along.best() == (3.5, 1.0)
    back = line(-scores, np.array([False, True]), np.eye(2)[[0, 1]], bound=5)
    assert back.best() == (-3.5, 1.0)


def test_nothing_moves_where_nothing_is_won() -> None:
    scores = np.array([[2.0, 0.0], [0.0, 2.0]])
    shift, height = line(scores, np.array([False, True]), np.eye(2)[[0, 1]], bound=5).best()
    assert (shift, height) == (0, 1)


def test_photos_that_are_too_sure_to_change_still_count() -> None:
    scores = np.array([[50.0, 0.0], [0.0, 50.0], [0.0, 50.0]])
    along = line(scores, np.array([False, True]), np.eye(2)[[0, 1, 0]], bound=5)
    assert along.ends.tolist() == [-5, 5]
    assert along.heights == pytest.approx([2 / 3])  # each class has F1 2 / 3


def test_of_what_is_likely_it_takes_the_expected_counts() -> None:
    scores, shares = np.array([[0.0, -1.0], [0.0, -3.0]]), np.array([[0.6, 0.4], [0.9, 0.1]])
    along = line(scores, np.array([False, True]), shares, bound=5)
    # Both answered 0: 2 * 1.5 / (1.5 + 2). Then the first answered 1: 2 * 0.9 / (1.5 + 1) and
    # 2 * 0.4 / (0.5 + 1). Then both: 2 * 0.5 / (0.5 + 2).
    assert along.heights == pytest.approx([3 / 3.5 / 2, (1.8 / 2.5 + 0.8 / 1.5) / 2, 1 / 2.5 / 2])
    assert along.best()[0] == 2


def test_photos_that_change_at_the_same_shift_change_together() -> None:
    scores = np.tile([1.0, 0.0], (4, 1))
    along = line(scores, np.array([False, True]), np.eye(2)[[1, 1, 1, 0]], bound=5)
    shift, height = along.best()
    assert shift == 3
    assert height == pytest.approx(2 * 3 / 7 / 2)
