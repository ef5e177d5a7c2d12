"""Place the groups that dealing leaves over, so that they even out what the folds lack.

The objective is the sum over folds of squared relative deviations from the share aimed at: of the
photos of each class, of all photos, and with less weight of each stratum and of the groups. Each
group goes where it lowers the objective most; then groups move or swap until nothing improves.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np

from maskkit.artifacts.columns import Bools, Floats, Ints

# The weights of squared relative deviations; those of each class and of the fold size are 1.
# A stratum holds fewer photos than a class, so one person weighs more in it: at full weight the
# many small strata would outvote the classes, which every score is about.
STRATUM_WEIGHT = 0.1
# Decides between folds that are otherwise equal, and draws a group to a fold without any.
GROUP_WEIGHT = 0.01

# A round of exchanges looks at every pair of groups. This many multiplications take about a quarter
# of a second; more leftover groups than they allow are placed all the same, and a sample exchanged.
ROUND_COST = 400_000_000
ROUNDS = 12
# An exchange has to be better by more than rounding, or two equal states would alternate.
LEAST_GAIN = 1e-12


def place_leftovers(
    fold: Ints, counts: Ints, *, strata: Ints, kind: Ints, shares: Floats, random: np.random.Generator
) -> Ints:
    """Return `fold` with every -1 replaced by the fold that this group balances best.

    Args:
        fold: Fold of each group as dealt, -1 where it has none yet, (groups,).
        counts: Photos of each group per class, (groups, classes).
        strata: Stratum of each group by each stratifier, codes without gaps, (groups, stratifiers).
        kind: Kind of each group, codes without gaps, (groups,): groups of one kind are equal in counts and
            strata. No two to place of one kind come into one fold; there are at most as many as folds.
        shares: What each fold aims at, (folds,), summing to 1.
        random: Breaks ties, so that seeds differ.
    """
    rest = np.flatnonzero(fold < 0)
    # By kind, so that what follows does not depend on the order of the groups.
    rest = rest[np.argsort(kind[rest], kind="stable")]
    left, folds = _measure(rest, fold, counts, strata=strata, kind=kind, shares=shares)
    placed = _place(left, folds, random)
    measures = left.features.shape[1] + 1
    chosen = np.sort(random.permutation(len(left))[: isqrt(ROUND_COST // measures)])
    for _ in range(ROUNDS):
        placed[chosen], has_improved = _exchange(left.take(chosen), folds, placed[chosen])
        if not has_improved:
            break
    complete = fold.copy()
    complete[rest] = placed
    return complete


def measures(counts: Ints, *, strata: Ints, kind: Ints) -> Floats:
    """Return each group in measures of which the objective is a plain sum of squares, (groups, measures).

    Counts, strata and kinds are as in `place_leftovers`.
    """
    groups, nothing_dealt = np.arange(len(counts)), np.full(len(counts), -1)
    left, _ = _measure(groups, nothing_dealt, counts, strata=strata, kind=kind, shares=np.ones(1))
    of_strata = np.zeros((len(counts), int(left.stratum.max(initial=-1)) + 1))
    of_strata[groups[:, None], left.stratum] = left.stratum_feature
    return np.column_stack([left.features, of_strata])


@dataclass(frozen=True)
class _Leftovers:
    """Groups yet to be placed, in measures scaled so that the objective is a plain sum of squares."""

    # Photos of each class, all photos, and 1, as shares of their totals, (groups, measures).
    features: Floats
    stratum: Ints  # one number for each stratifier and stratum, (groups, stratifiers)
    # Photos as a share of those of the stratum, (groups, stratifiers). As a column per stratum it would be
    # one number among many zeros.
    stratum_feature: Floats
    kind: Ints  # (groups,). No two groups of a kind may share a fold.

    def __len__(self) -> int:
        return len(self.features)

    def take(self, chosen: Ints) -> "_Leftovers":
        """Return these groups only."""
        return _Leftovers(
            self.features[chosen], self.stratum[chosen], self.stratum_feature[chosen], self.kind[chosen]
        )

    @property
    def square(self) -> Floats:
        """Squared length of each group, (groups,): large for large groups and rare classes."""
        return np.asarray(np.square(self.features).sum(axis=1) + np.square(self.stratum_feature).sum(axis=1))


@dataclass(frozen=True)
class _Folds:
    """What each fold has beyond its share so far, updated in place."""

    # In the measures of `_Leftovers`, (folds, measures); negative where a fold lacks.
    surplus: Floats
    stratum_surplus: Floats  # the same for strata, (folds, strata)
    is_taken: Bools  # whether a fold has a leftover group of a kind, (kinds, folds)

    def put(self, left: _Leftovers, group: int, fold: int, *, times: int = 1) -> None:
        """Add a group to a fold, or with `times=-1` take it out."""
        self.surplus[fold] += times * left.features[group]
        self.stratum_surplus[fold, left.stratum[group]] += times * left.stratum_feature[group]
        self.is_taken[left.kind[group], fold] = times > 0

    def pressure(self, left: _Leftovers, group: int) -> Floats:
        """Return how much each fold has of what this group brings, (folds,)."""
        strata = _dot(self.stratum_surplus[:, left.stratum[group]], left.stratum_feature[group])
        return np.asarray(_dot(self.surplus, left.features[group]) + strata)

    def pressure_at(self, left: _Leftovers, fold: Ints) -> Floats:
        """Return how much the fold of each group has of what the group brings, (groups,)."""
        strata = (self.stratum_surplus[fold[:, None], left.stratum] * left.stratum_feature).sum(axis=1)
        return np.asarray((left.features * self.surplus[fold]).sum(axis=1) + strata)


def _measure(
    rest: Ints, fold: Ints, counts: Ints, *, strata: Ints, kind: Ints, shares: Floats
) -> tuple[_Leftovers, _Folds]:
    """Measure the groups `rest`, and the folds as dealt, summed by kind: a few hold millions of groups."""
    kinds = int(kind.max(initial=-1)) + 1
    one = np.zeros(kinds, np.int64)  # any group of each kind, all being equal
    one[kind] = np.arange(len(kind))
    amounts = _amounts(counts[one])  # (kinds, measures)
    numbers = np.bincount(kind, minlength=kinds).astype(np.float64)
    totals = _dot(amounts.T, numbers)
    scale = np.maximum(totals, 1) ** -1.0
    scale[-1] *= np.sqrt(GROUP_WEIGHT)

    of_stratifier = strata.max(axis=0, initial=-1) + 1
    stratum = strata + np.cumsum(of_stratifier) - of_stratifier  # (groups, stratifiers)
    size = amounts[:, -2]
    stratum_totals = _in_strata(stratum[one], numbers * size, int(of_stratifier.sum()))
    stratum_scale = np.sqrt(STRATUM_WEIGHT) / np.maximum(stratum_totals, 1)

    surplus, stratum_surplus = -shares[:, None] * totals, -shares[:, None] * stratum_totals
    for number in range(len(shares)):
        held = np.bincount(kind[fold == number], minlength=kinds).astype(np.float64)
        surplus[number] += _dot(amounts.T, held)
        stratum_surplus[number] += _in_strata(stratum[one], held * size, len(stratum_totals))

    left_amounts = _amounts(counts[rest])
    kinds_left, kind_left = np.unique(kind[rest], return_inverse=True)
    left = _Leftovers(
        left_amounts * scale,
        stratum[rest],
        left_amounts[:, -2, None] * stratum_scale[stratum[rest]],
        kind_left,
    )
    is_taken = np.zeros((len(kinds_left), len(shares)), np.bool_)
    return left, _Folds(surplus * scale, stratum_surplus * stratum_scale, is_taken)


def _amounts(counts: Ints) -> Floats:
    """Return photos of each class, all photos, and 1, of each group, (groups, classes + 2)."""
    return np.column_stack([counts, counts.sum(axis=1), np.ones(len(counts))])


def _in_strata(stratum: Ints, images: Floats, strata: int) -> Floats:
    """Sum photos, (groups,), over each stratum of (groups, stratifiers); return (strata,)."""
    weights = np.broadcast_to(images[:, None], stratum.shape)
    return np.bincount(stratum.ravel(), weights=weights.ravel(), minlength=strata).astype(np.float64)


def _place(left: _Leftovers, folds: _Folds, random: np.random.Generator) -> Ints:
    """Put each leftover group where it is lacking most, the largest and rarest first; return its fold."""
    placed = np.empty(len(left), np.int64)
    # Blurred, so that seeds differ even where no two groups are alike.
    hardness = left.square * random.uniform(0.5, 1, len(left))
    for group in np.argsort(-hardness, kind="stable"):
        # The change of the objective, less what is the same in each fold.
        cost = np.where(folds.is_taken[left.kind[group]], np.inf, folds.pressure(left, group))  # (folds,)
        placed[group] = np.argmin(cost)
        folds.put(left, group, placed[group])
    return placed


def _exchange(left: _Leftovers, folds: _Folds, placed: Ints) -> tuple[Ints, bool]:
    """Move each group to the fold, or swap it with the group, that helps most; say if anything improved.

    A move never empties one of several equal folds: it would make the objective worse.
    """
    placed, has_improved = placed.copy(), False
    square, own = left.square, folds.pressure_at(left, placed)  # (groups,)
    for group in range(len(left)):
        here, mine, kind = placed[group], left.features[group], left.kind[group]
        # Half the change of the objective if this group moves to each other fold, ...
        move = folds.pressure(left, group) - own[group] + square[group]  # (folds,)
        move[folds.is_taken[kind]] = np.inf
        # ... and if, besides, each other group comes here in return.
        swap = move[placed] + _dot(left.features, folds.surplus[here] - 2 * mine) - own + square  # (groups,)
        overlap = (left.stratum == left.stratum[group]) * left.stratum_feature[group]
        strata = folds.stratum_surplus[here, left.stratum] - 2 * overlap  # (groups, stratifiers)
        swap += (left.stratum_feature * strata).sum(axis=1)
        swap[folds.is_taken[left.kind, here]] = np.inf
        there, other = int(np.argmin(move)), int(np.argmin(swap))
        if min(move[there], swap[other]) > -LEAST_GAIN:
            continue
        has_improved = True
        is_swap = swap[other] < move[there]
        there = int(placed[other]) if is_swap else there
        for leaver, origin, aim in [(group, here, there), (other, there, here)][: 1 + is_swap]:
            folds.put(left, leaver, origin, times=-1)
            folds.put(left, leaver, aim)
            placed[leaver] = aim
        touched = np.flatnonzero((placed == here) | (placed == there))
        own[touched] = folds.pressure_at(left.take(touched), placed[touched])
    return placed, has_improved


def _dot(rows: Floats, vector: Floats) -> Floats:
    """Return the product of each row with the vector, (rows,).

    `@` may round otherwise with another number of threads, and ties would fall otherwise.
    """
    return np.asarray(np.einsum("rm,m->r", rows, vector))
