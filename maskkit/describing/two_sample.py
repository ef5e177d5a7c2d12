"""Can a classifier distinguish two sets of photos?

That is the test of Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545. If it cannot on photos
it has not seen, the sets are alike in what it looks at, and its AUC is 0.5. The paper tests the accuracy;
the AUC needs no sets of one size. Photos of one person are near-copies, so people are not divided between
training and test, and the interval counts people, not photos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from maskkit.artifacts.columns import Bools, Floats, Ints
from maskkit.progress import track

Z = 1.959964  # of a 95 % interval
CHANCE = 0.05
DIVISIONS = 19  # the fewest with which p can be 0.05
LEAST = 5  # people of each part, so that each can be in every training
FEWEST = 2 * LEAST  # people that are divided


@dataclass(frozen=True)
class NoDifference:
    """AUCs where there is no difference.

    Where all people are known, they are shuffled over the two sets. Where those of one set are not, a
    classifier meets a person's other photos in training, and distinguishes the sets by who is on them; then
    the set whose people are known is divided by people, who are treated as unknown in one part.
    """

    mean: float  # over the divisions
    highest: float  # of the divisions
    divisions: int  # how many
    is_of_one_set: bool  # whether the people of one set are not known


@dataclass(frozen=True)
class TwoSample:
    """How well a classifier distinguishes two sets on photos that it has not seen."""

    auc: float  # share of pairs, one photo of each set, that it puts in the right order
    # Low, high: 95 % interval over groups; None if the people of a set are not known, or a set is of one.
    low: float | None
    high: float | None
    # Share of such AUCs or higher ones where there is no difference, this one among them; None if it is not
    # known, as no person is. An interval above 0.5 would not do: it knows nothing of how the classifier
    # varies with its training, and so excludes 0.5 too often (in 10 of 80 trials).
    p: float | None
    same: NoDifference | None  # what the AUC is without a difference
    photos: int  # photos tested
    groups: int  # groups of photos (people, near-copies) that were not divided
    folds: int  # folds of the cross-validation
    # What the AUC loses when a feature is shuffled in the test, the largest first.
    losses: tuple[tuple[str, float], ...]

    @property
    def is_apart(self) -> bool:
        """Whether the sets differ; of twenty pairs of sets that do not, this holds for one."""
        return self.p is not None and self.p <= CHANCE


@dataclass(frozen=True)
class Sample:
    """Photos of two sets."""

    features: Mapping[str, Floats]  # of each photo, (photos,) each
    is_second: Bools  # whether it is of the second set, (photos,)
    group: Ints  # photos that belong together, people and near-copies, as codes, (photos,)
    twins: Ints  # the same of near-copies alone, (photos,)
    person: Ints  # of each photo as a code, -1 if unknown, (photos,)

    def take(self, rows: Ints) -> Sample:
        """Return these photos."""
        features = {name: values[rows] for name, values in self.features.items()}
        is_second, group = self.is_second[rows], self.group[rows]
        return Sample(features, is_second, group, self.twins[rows], self.person[rows])


# Which set each photo is of and its group, to folds that divide no group.
Deal = Callable[[Bools, Ints], Ints]


def two_sample(sample: Sample, deal: Deal, *, divisions: int = DIVISIONS, seed: int = 0) -> TwoSample:
    """Cross-validate a classifier of the sets, boosted trees on histograms, in folds as dealt.

    So many divisions show what the AUC is without a difference; p can be no smaller than one in one more.
    """
    random = np.random.default_rng(seed)
    second, group = sample.is_second, sample.group
    table = np.column_stack(list(sample.features.values()))  # (photos, features)
    fold = deal(second, group)
    score = np.zeros(len(table))
    shuffled = np.zeros((table.shape[1], len(table)))
    for test, scores in _models(table, second, fold, seed):
        score[test] = scores(table[test])
        for column in range(table.shape[1]):
            other = table[test]
            other[:, column] = random.permutation(other[:, column])
            shuffled[column, test] = scores(other)
    auc, error = clustered_auc(score, second, group)
    losses = {name: auc - auc_of(shuffled[column], second) for column, name in enumerate(sample.features)}
    is_known = [bool((sample.person[one] >= 0).all()) for one in (~second, second)]
    low = high = p = same = None
    if error is not None and all(is_known):  # else photos of one person would count as several
        low, high = max(0.0, auc - Z * error), min(1.0, auc + Z * error)
    found = _without_difference(sample, table, deal, is_known, divisions, seed)
    if found:
        p = (1 + sum(one >= auc for one in found)) / (1 + len(found))
        same = NoDifference(float(np.mean(found)), max(found), len(found), is_of_one_set=not all(is_known))
    sizes = len(table), len(np.unique(group)), len(np.unique(fold))
    return TwoSample(auc, low, high, p, same, *sizes, tuple(sorted(losses.items(), key=lambda one: -one[1])))


def _models(
    table: Floats, is_second: Bools, fold: Ints, seed: int
) -> Iterator[tuple[Bools, Callable[[Floats], Floats]]]:
    """Yield each fold, and what scores photos after learning from the others."""
    # It takes a second to load, which counting alone need not take.
    from sklearn.ensemble import HistGradientBoostingClassifier

    for held_out in np.unique(fold):
        test = fold == held_out
        model = HistGradientBoostingClassifier(
            max_iter=30, learning_rate=0.2, max_leaf_nodes=8, max_bins=64, early_stopping=False,
            random_state=seed,
        ).fit(table[~test], is_second[~test])  # fmt: skip
        # Scores of all folds are ranked together, so how much each learnt of either set must not show.
        odds = np.log(is_second[~test].sum() / (~is_second[~test]).sum())
        yield test, partial(_scores, model, odds)


def _scores(model: Any, odds: float, photos: Floats) -> Floats:
    return np.asarray(model.decision_function(photos) - odds)


def _without_difference(
    sample: Sample, table: Floats, deal: Deal, is_known: Sequence[bool], divisions: int, seed: int
) -> list[float]:
    """Return AUCs of divisions of people that are of one source; none if no set's people are known."""
    if not any(is_known):
        return []
    second = sample.is_second
    if all(is_known):
        rows, wanted, apart = np.arange(len(second)), int(second.sum()), sample.group
    else:
        known = second if is_known[1] else ~second
        rows = np.flatnonzero(known)
        # One part is as large as the other set, at most half, and its people are as unknown.
        wanted, apart = min(int((~known).sum()), len(rows) // 2), sample.twins + sample.group.max() + 1
    people, person = np.unique(sample.group[rows], return_inverse=True)
    if len(people) < FEWEST:
        return []
    random = np.random.default_rng(seed)
    table, photos, found = table[rows], np.bincount(person), []
    for _ in track(range(divisions), divisions, "divisions of one source"):
        order = random.permutation(len(people))
        taken = int(np.clip((np.cumsum(photos[order]) <= wanted).sum(), LEAST, len(people) - LEAST))
        part = np.isin(person, order[:taken])
        fold = deal(part, np.where(part, apart[rows], sample.group[rows]))
        score = np.zeros(len(rows))
        for test, scores in _models(table, part, fold, seed):
            score[test] = scores(table[test])
        found.append(auc_of(score, part))
    return found


def auc_of(score: Floats, is_second: Bools) -> float:
    """Return the share of pairs, one of each set, in which the second's score is higher; ties count half."""
    second, first = int(is_second.sum()), int((~is_second).sum())
    ranks = rankdata(score)[is_second].sum()
    return float((ranks - second * (second + 1) / 2) / (first * second))


def clustered_auc(score: Floats, is_second: Bools, group: Ints) -> tuple[float, float | None]:
    """Return the AUC and its standard error, by groups (Obuchowski 1997, https://doi.org/10.2307/2533958).

    Of each photo, (photos,), the score is higher for the second set, and the group says as a code what
    belongs together. The error is None if a set is of one group.
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
    having = [int((count > 0).sum()) for count in counts]
    if min(having) < 2:
        return auc, None
    totals = [count.sum() for count in counts]
    parts = [total - count * auc for total, count in zip(sums, counts, strict=True)]
    own = sum(
        have / (have - 1) * (part**2).sum() / total**2
        for have, part, total in zip(having, parts, totals, strict=True)
    )
    both = 2 * groups / (groups - 1) * (parts[0] * parts[1]).sum() / (totals[0] * totals[1])
    return auc, sqrt(max(0.0, own + both))
