from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskkit.splitting import few_groups
from maskkit.splitting.few_groups import MOST_GROUPS, evenest_split
from maskkit.splitting.folds import holdout_groups, stratified_group_folds


def cost(fold: NDArray[np.int64], measures: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Squared deviations from the share of each measure that a fold aims at."""
    held = np.stack([measures[fold == number].sum(axis=0) for number in range(len(shares))])
    return float(np.square(held - shares[:, None] * measures.sum(axis=0)).sum())


@settings(max_examples=60, deadline=None)
@given(groups=st.integers(2, 6), folds=st.integers(2, 3), seed=st.integers(0, 999), are_alike=st.booleans())
def test_no_split_without_empty_folds_is_evener(groups: int, folds: int, seed: int, are_alike: bool) -> None:
    random = np.random.default_rng(seed)
    folds = min(folds, groups)
    measures = random.integers(0, 4, (groups, 3)).astype(np.float64)
    shares = np.full(folds, 1 / folds) if are_alike else random.dirichlet(np.ones(folds))
    found = evenest_split(measures, shares, random)
    assert found is not None
    assert set(found) == set(range(folds))
    each = (np.array(split) for split in product(range(folds), repeat=groups))
    least = min(cost(split, measures, shares) for split in each if len(set(split)) == folds)
    assert cost(found, measures, shares) == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_a_perfect_split_is_found_though_it_puts_the_alike_into_one_fold(seed: int) -> None:
    counts = np.array([[9], [3], [3], [3], [4], [3], [1], [1]])
    fold = stratified_group_folds(counts, folds=3, seed=seed)
    assert np.bincount(fold, weights=counts[:, 0]).tolist() == [9, 9, 9]


@settings(max_examples=30, deadline=None)
@given(folds=st.integers(2, 4), seed=st.integers(0, 999))
def test_a_perfect_split_of_few_groups_in_two_classes_is_found(folds: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [random.multivariate_hypergeometric([6, 3], 3) for _ in range(folds)]
    counts = np.concatenate([[part, np.array([6, 3]) - part] for part in parts])
    fold = stratified_group_folds(counts, folds=folds, seed=seed)
    for number in range(folds):
        assert counts[fold == number].sum(axis=0).tolist() == [6, 3]


def test_the_alike_are_dealt_at_random() -> None:
    folds = {tuple(stratified_group_folds(np.ones((4, 1), np.int64), folds=2, seed=s)) for s in range(40)}
    assert len(folds) == 6  # 4 over 2


def test_one_of_the_best_splits_is_taken_at_random() -> None:
    counts = np.arange(1, 9)[:, None]  # four groups of 18 photos of 36, in several ways
    folds = [stratified_group_folds(counts, folds=2, seed=seed) for seed in range(30)]
    assert len({tuple(fold == fold[0]) for fold in folds}) > 2


def test_strata_of_few_groups_are_balanced() -> None:
    stratum = np.array([0, 0, 1, 1, 2, 2])
    for seed in range(5):
        fold = stratified_group_folds(np.ones((6, 1), np.int64), stratum=stratum, folds=2, seed=seed)
        assert fold.reshape(3, 2).sum(axis=1).tolist() == [1, 1, 1]


def test_a_small_holdout_of_few_groups_is_the_nearest_to_its_share() -> None:
    counts = np.array([[5], [4], [7], [9], [20]])
    side = holdout_groups(counts, share=0.2)
    assert counts[side == 0].sum() == 9  # of 45


def test_too_many_splits_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    halves = np.full(2, 0.5)
    assert evenest_split(np.ones((MOST_GROUPS + 1, 1)), halves, random) is None
    assert evenest_split(np.ones((2, 1)), np.full(3, 1 / 3), random) is None
    monkeypatch.setattr(few_groups, "MOST_SPLITS", 7)  # ways to divide four groups in two
    assert evenest_split(np.ones((4, 1)), halves, random) is not None
    assert evenest_split(np.ones((4, 1)), np.array([0.4, 0.6]), random) is None
    assert evenest_split(np.ones((5, 1)), halves, random) is None
