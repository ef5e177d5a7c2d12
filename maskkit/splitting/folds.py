"""Deal groups (people) into folds alike in classes, size and finer strata, never dividing a group.

Most groups have a twin: people with the same number of photos of each class. Twins are dealt like
cards, all at once, which balances everything that can be known of them. The few left over of each
kind then make up the difference (`leftovers`). That is faster than placing one group after the
other, as greedy splitters do, and leaves the even part even. Of few groups, all splits are compared
instead (`few_groups`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Floats, Ints
from maskkit.errors import MaskkitError
from maskkit.splitting.few_groups import MOST_GROUPS, evenest_split
from maskkit.splitting.leftovers import measures, place_leftovers
from maskkit.splitting.strata import joined, numbered

MOST_FOLDS = int(np.iinfo(np.int16).max)


def class_counts(group: Ints, label: NDArray[Any], *, groups: int, classes: int) -> Ints:
    """Count the photos of each group per class, int64 (groups, classes), a class at a time in memory.

    `group` and `label` are those of each photo, from 0, (photos,).
    """
    cell = label.astype(np.int64) * groups + group
    return np.bincount(cell, minlength=groups * classes).reshape(classes, groups).T


def stratified_group_folds(
    counts: Ints, *, stratum: Ints | None = None, folds: int = 5, seed: int = 0
) -> NDArray[np.int16]:
    """Deal groups into folds that are alike in photos per class, in size and in strata.

    Groups of one kind (equal counts and stratum) are spread evenly: two folds differ by at most
    one of them, unless groups are so few that the best of all splits is found. No fold is empty.
    How many of each kind a fold gets does not depend on the order of the groups.

    Counts are the photos of each group per class, (groups, classes). A finer stratum, such as a five-year
    age band, (groups,), or several, (groups, stratifiers), any numbers, is balanced where the classes leave a
    choice, each stratifier by itself.

    Returns:
        The fold of each group, 0 to `folds - 1`, (groups,).

    Raises:
        MaskkitError: There cannot be that many folds.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise MaskkitError(
            f"cannot make {folds} folds",
            why=f"folds are numbered in 16 bits, and each needs another to be trained on: 2 to {MOST_FOLDS}",
            fix="use --folds 5, or --holdout for a single held-out part",
        )
    if len(counts) < folds:
        raise MaskkitError(
            f"cannot make {folds} folds from {len(counts)} groups",
            why="each fold needs at least one group (person) of its own",
            fix=f"use --folds {len(counts)} or fewer" if len(counts) > 1 else "add photos of more people",
        )
    random = np.random.default_rng(seed)
    fold = _assign(counts, stratum, np.full(folds, 1 / folds), random)
    # Ties go to the first fold: renumbering spreads them.
    return random.permutation(folds).astype(np.int16)[fold]


def holdout_groups(
    counts: Ints, *, stratum: Ints | None = None, share: float, seed: int = 0
) -> NDArray[np.int16]:
    """Hold out groups with `share` of the photos of each class, of all, and of each stratum.

    Counts and strata are as in `stratified_group_folds`. At least one group is held out and at least one is
    not, however small or large the share, which lies between 0 and 1.

    Returns:
        0 for each group held out and -1 for the others, (groups,).

    Raises:
        MaskkitError: The share is not one, or there are fewer than two groups.
    """
    if not 0 < share < 1:
        raise MaskkitError(
            f"cannot hold out a share of {share}",
            why="the share lies between 0 and 1, both excluded",
            fix="use --holdout 0.2 to hold out a fifth of the photos",
        )
    if len(counts) < 2:
        raise MaskkitError(
            f"cannot hold out a part of {len(counts)} groups",
            why="the held-out part and the rest each need a group (person) of their own",
            fix="add photos of more people",
        )
    side = _assign(counts, stratum, np.array([share, 1 - share]), np.random.default_rng(seed))
    for empty in (0, 1):
        if not (side == empty).any():
            # A few large groups and a small share: the least bad group is the smallest.
            side[np.argmin(counts.sum(axis=1))] = empty
    return np.negative(side).astype(np.int16)


def _assign(counts: Ints, stratum: Ints | None, shares: Floats, random: np.random.Generator) -> Ints:
    """Return the fold of each group, (groups,), when fold f aims at `shares[f]` of everything."""
    strata = np.zeros((len(counts), 0), np.int64)  # codes without gaps, (groups, stratifiers)
    if stratum is not None and stratum.size:
        strata = np.column_stack([numbered(column) for column in stratum.reshape(len(counts), -1).T])
    kind = joined((*strata.T, *counts.T), len(counts))
    if len(counts) <= MOST_GROUPS:
        order = random.permutation(len(kind))
        order = order[np.argsort(kind[order], kind="stable")]  # by kind, as in `place_leftovers`
        found = evenest_split(measures(counts, strata=strata, kind=kind)[order], shares, random)
        if found is not None:
            return found[np.argsort(order)]
    fold = _deal(kind, shares, random)
    return place_leftovers(fold, counts, strata=strata, kind=kind, shares=shares, random=random)


def _deal(kind: Ints, shares: Floats, random: np.random.Generator) -> Ints:
    """Deal each fold the whole part of its share of each kind, at random; -1 marks the groups left over.

    Of each kind, fewer groups than folds are left over.
    """
    sizes = np.bincount(kind)  # (kinds,)
    order = random.permutation(len(kind))
    # NumPy sorts 16 bits by radix, ten times as fast.
    shuffled = kind[order].astype(np.uint16 if len(sizes) <= 2**16 else np.int64)
    order = order[np.argsort(shuffled, kind="stable")]
    rank = np.arange(len(kind)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rounding = 1e-9
    # Only kinds that reach a whole group: the table is never larger than the groups it deals.
    common = np.flatnonzero(sizes * shares.max() + rounding >= 1)
    quota = np.floor(sizes[common, None] * shares + rounding).astype(np.int64)  # (common kinds, folds)
    dealt = np.zeros(len(sizes), np.int64)
    dealt[common] = quota.sum(axis=1)
    fold = np.full(len(kind), -1, np.int64)
    in_turn = np.tile(np.arange(len(shares)), len(common))
    fold[order[rank < np.repeat(dealt, sizes)]] = np.repeat(in_turn, quota.ravel())
    return fold
