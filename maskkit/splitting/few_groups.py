"""Compare all splits of a few groups, where spreading each kind evenly may forbid the best.

Of groups with 10, 5 and 5 photos two folds are even only if the two alike share one. Among many groups a rule
that spreads the alike costs nothing, and is quick; of few, every split can be looked at.
"""

from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Floats, Ints

# More ways than there are to divide 19 groups in two, 13 in three or 11 in five. To compare them takes up to
# a quarter of a second.
MOST_SPLITS = 2**18
MOST_GROUPS = 19
EQUAL = 1e-12  # costs that differ by less differ by rounding
_BLOCK = 16_384  # splits at a time, which stay in cache


def evenest_split(measures: Floats, shares: Floats, random: np.random.Generator) -> Ints | None:
    """Return the fold of each group in one of the best splits that leave no fold empty, (groups,), at random.

    The best has the least sum of squared deviations from what the folds aim at, `shares` of each of the
    measures, (groups, measures). None if there are too many splits to compare, or fewer groups than folds.
    """
    groups, folds = len(measures), len(shares)
    are_alike = bool((shares == shares[0]).all())
    orders = 1 if are_alike else factorial(min(folds, MOST_GROUPS))
    if not folds <= groups <= MOST_GROUPS or _partitions_number(groups, folds) * orders > MOST_SPLITS:
        return None
    splits = _partitions(groups, folds)
    if not are_alike:
        splits = np.concatenate([np.array(order, np.int8)[splits] for order in permutations(range(folds))])
    costs = np.concatenate(
        [_costs(splits[at : at + _BLOCK], measures, shares) for at in range(0, len(splits), _BLOCK)]
    )
    best = np.flatnonzero(costs <= costs.min() + EQUAL)
    return np.asarray(splits[random.choice(best)], np.int64)


def _costs(splits: NDArray[np.int8], measures: Floats, shares: Floats) -> Floats:
    """Return the cost of each of the splits, (splits, groups), but for what all have in common, (splits,)."""
    # As in `leftovers`, no `@`: it may round otherwise with another number of threads.
    products = np.einsum("gm,hm->gh", measures, measures)
    costs = np.zeros(len(splits))
    for number, share in enumerate(shares):
        is_in = (splits == number).astype(np.float64)
        costs += (np.einsum("sg,gh->sh", is_in, products) * is_in).sum(axis=1)
        costs -= 2 * share * np.einsum("sg,g->s", is_in, products.sum(axis=1))
    return costs


def _partitions_number(groups: int, folds: int) -> int:
    """Return in how many ways groups can be divided into folds without numbers (Stirling, second kind)."""
    ways = [1] + [0] * folds
    for _ in range(groups):
        ways = [0, *(number * ways[number] + ways[number - 1] for number in range(1, folds + 1))]
    return ways[folds]


def _partitions(groups: int, folds: int) -> NDArray[np.int8]:
    """Return each way to divide groups into folds, none empty, (ways, groups).

    Folds are numbered in the order of their first groups, so that no two ways are one with other numbers.
    """
    ways, used = np.zeros((1, 0), np.int8), np.zeros(1, np.int8)  # of the groups so far
    for later in reversed(range(groups)):
        grown = []
        for number in range(folds):
            then_used = np.maximum(used, number + 1)
            fits = (number <= used) & (then_used + later >= folds)
            chosen = np.full(int(fits.sum()), number, np.int8)
            grown.append((np.column_stack([ways[fits], chosen]), then_used[fits]))
        ways, used = (np.concatenate(parts) for parts in zip(*grown, strict=True))
    return ways
