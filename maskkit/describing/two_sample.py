"""Can a classifier tell two sets of photos apart?

That is the test of Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545: if it cannot on photos it has not seen, the sets are alike in what it looks at; its AUC is 0.5. The
paper tests the accuracy; the AUC needs no sets of one size. Photos of one person are near-copies, so
people are not divided between training and test, and the interval counts people, not photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class TwoSample:
    """How well a classifier tells two sets apart on photos of people it has not seen.

    Args:
        auc: Share of pairs, one photo of each set, that it puts in the right order.
        low, high: 95 % interval over groups; None if a set is of one group.
        p: Probability of such an AUC or a higher one if the sets were alike; None likewise.
        photos: Photos tested.
        groups: Groups of photos (people, near-copies) that were not divided.
        folds: Folds of the cross-validation.
        losses: What the AUC loses when a feature is shuffled in the test, the largest first.
    """

    auc: float
    low: float | None
    high: float | None
    p: float | None
    photos: int
    groups: int
    folds: int
    losses: tuple[tuple[str, float], ...]


def two_sample(
    features: Mapping[str, NDArray[np.float64]],
    is_second: NDArray[np.bool_],
    group: NDArray[np.int64],
    fold: NDArray[np.int64],
    *,
    seed: int = 0,
) -> TwoSample:
    """Cross-validate a classifier of the sets, by boosted trees on histograms.

    Args:
        features: Of each photo, (photos,) each.
        is_second: Whether it is of the second set, (photos,).
        group: Photos that belong together, as codes, (photos,).
        fold: In which each is tested, (photos,); no group is in two.
        seed: Of the shuffling.
    """
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
    )  # a second, which counting alone need not take

    random = np.random.default_rng(seed)
    table = np.column_stack(list(features.values()))  # (photos, features)
    score = np.zeros(len(table))
    shuffled = np.zeros((table.shape[1], len(table)))
    for held_out in np.unique(fold):
        test = fold == held_out
        model = HistGradientBoostingClassifier(
            early_stopping=False, class_weight="balanced", random_state=seed, max_leaf_nodes=15
        ).fit(table[~test], is_second[~test])
        score[test] = model.decision_function(table[test])
        for column in range(table.shape[1]):
            other = table[test]
            other[:, column] = random.permutation(other[:, column])
            shuffled[column, test] = model.decision_function(other)
    auc, error = clustered_auc(score, is_second, group)
    losses = {name: auc - auc_of(shuffled[column], is_second) for column, name in enumerate(features)}
    return TwoSample(
        auc,
        None if error is None else max(0.0, auc - Z * error),
        None if error is None else min(1.0, auc + Z * error),
        None if error is None else _chance(auc, error),
        len(table),
        len(np.unique(group)),
        len(np.unique(fold)),
        tuple(sorted(losses.items(), key=lambda one: -one[1])),
    )


def auc_of(score: NDArray[np.float64], is_second: NDArray[np.bool_]) -> float:
    """Return the share of pairs, one of each set, in which the second's score is higher; ties count half."""
    second, first = int(is_second.sum()), int((~is_second).sum())
    ranks = rankdata(score)[is_second].sum()
    return float((ranks - second * (second + 1) / 2) / (first * second))


def clustered_auc(
    score: NDArray[np.float64], is_second: NDArray[np.bool_], group: NDArray[np.int64]
) -> tuple[float, float | None]:
    """Return the AUC and its standard error, by groups (Obuchowski 1997, https://doi.org/10.2307/2533958).

    Args:
        score: Higher for the second set, (photos,).
        is_second: (photos,).
        group: Photos that belong together, as codes, (photos,).

    Returns:
        The AUC; and its error, None if a set is of one group.
    """
    auc = auc_of(score, is_second)
    codes = np.unique(group, return_inverse=True)[1]
    groups = int(codes.max()) + 1
    counts: list[NDArray[Any]] = []
    sums: list[NDArray[Any]] = []
    for mine in (is_second, ~is_second):
        # How often each photo of this set is placed right against the other's: DeLong's components.
        within = np.empty(len(score))
        within[mine] = rankdata(score[mine])
        placed = (rankdata(score)[mine] - within[mine]) / (~mine).sum()
        right = placed if mine is is_second else 1 - placed
        counts.append(np.bincount(codes[mine], minlength=groups))
        sums.append(np.bincount(codes[mine], weights=right, minlength=groups))
    return auc, _error(auc, counts, sums, groups)


def _error(auc: float, counts: list[NDArray[Any]], sums: list[NDArray[Any]], groups: int) -> float | None:
    having = [int((count > 0).sum()) for count in counts]
    if min(having) < 2:
        return None
    totals = [count.sum() for count in counts]
    parts = [total - count * auc for total, count in zip(sums, counts, strict=True)]
    own = sum(
        have / (have - 1) * (part**2).sum() / total**2
        for have, part, total in zip(having, parts, totals, strict=True)
    )
    both = 2 * groups / (groups - 1) * (parts[0] * parts[1]).sum() / (totals[0] * totals[1])
    return float(sqrt(max(0.0, own + both)))


def _chance(auc: float, error: float) -> float:
    if error == 0:
        return 0.0 if auc > 0.5 else 1.0
    return 0.5 * erfc((auc - 0.5) / error / sqrt(2))
