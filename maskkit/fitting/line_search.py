"""The macro-F1 of every shift of some classes at once, exactly.

As one number is added to the log probabilities of some classes, a photo changes its answer once: from the
best of the other classes to the best of these. Sorted by where they change, the photos are walked through,
and the counts behind each F1 are kept up to date, so that all thresholds cost no more than sorting them.
That is how the F1 of one class is maximised over its threshold (Lipton et al. 2014,
https://arxiv.org/abs/1402.1892), here for classes that compete for each photo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.scoring.metrics import Floats, Integers, ratio_of

EQUAL = 1e-5  # of macro-F1: less than one photo in a thousand of a class, which is not worth an offset
_NARROWEST = 1e-5  # a shift closer than this to where a photo changes would depend on rounding


@dataclass(frozen=True)
class Staircase:
    """Macro-F1 as a function of one shift: a staircase."""

    ends: Floats  # where the steps begin and end, ascending, (steps + 1,)
    heights: Floats  # macro-F1 on each step, (steps,)

    def at(self, shift: float) -> float:
        """Return the macro-F1 of a shift."""
        step = int(np.searchsorted(self.ends, shift, side="right")) - 1
        return float(self.heights[min(max(step, 0), len(self.heights) - 1)])

    def best(self) -> tuple[float, float]:
        """Return a shift with the highest macro-F1, or within `EQUAL` of it, and that macro-F1.

        Of such steps it is in the middle of the one nearest to 0; or it is 0, if that is on one.
        """
        low, high = self.ends[:-1], self.ends[1:]
        is_wide = high - low > _NARROWEST
        is_best = is_wide & (self.heights >= self.heights[is_wide].max() - EQUAL)
        away = np.where(is_best, np.maximum(np.maximum(low, -high), 0), np.inf)
        step = int(away.argmin())
        shift = 0.0 if away[step] == 0 else float(low[step] + high[step]) / 2
        return shift, float(self.heights[step])


def line(scores: Floats, moved: NDArray[np.bool_], shares: Floats, *, bound: float) -> Staircase:
    """Return the macro-F1, over all classes, of each shift between -bound and bound.

    A class in neither truth nor answers counts as 0.
    The shift is added to the scores, (N, C), of the moved classes, some but not all, (C,); the largest score
    is the answer. Shares are how likely each class is the truth, (N, C), rows sum to 1. Where one is 1 and
    the others are 0, the result is the macro-F1; otherwise that of the expected counts.
    """
    rows = np.arange(len(scores))
    outer, inner = (
        classes[scores[:, classes].argmax(axis=1)] for classes in map(np.flatnonzero, (~moved, moved))
    )  # (N,)
    change = scores[rows, outer] - scores[rows, inner]  # above it, the answer is `inner`
    near = np.flatnonzero(np.abs(change) < bound)  # the others answer the same all along
    order = near[np.argsort(change[near], kind="stable")]  # (K,)
    first = np.where(change <= -bound, inner, outer)
    heights = _along(shares, rows=order, before=outer[order], after=inner[order], first=first)
    return Staircase(np.concatenate([[-bound], change[order], [bound]]), heights)


def _along(shares: Floats, *, rows: Integers, before: Integers, after: Integers, first: Integers) -> Floats:
    """Return the macro-F1 of the first answers, (N,), and then after each change of one, (K + 1,).

    The photos `rows` change their answer in that order from `before` to `after`, (K,) each.
    """
    classes = shares.shape[1]
    photos = shares.sum(axis=0)  # (C,)
    answered = np.bincount(first, minlength=classes)
    right = np.bincount(first, weights=shares[np.arange(len(first)), first], minlength=classes)
    name = np.stack([before, after], axis=1).ravel()  # (2K,), each change concerns two classes
    order = np.argsort(name.astype(np.int16), kind="stable")  # by class, and of each in time
    name, change = name[order], order // 2
    sign = np.where(order % 2, 1, -1)
    begins = np.flatnonzero(np.diff(name, prepend=-1))
    answered_then = answered[name] + _running(sign, begins)
    right_then = right[name] + _running(sign * shares[rows[change], name], begins)
    f1 = np.nan_to_num(ratio_of(2 * right_then, photos[name] + answered_then))
    start = np.nan_to_num(ratio_of(2 * right, photos + answered))
    gain = np.diff(f1, prepend=0.0)
    gain[begins] = f1[begins] - start[name[begins]]
    steps = np.bincount(change, gain, minlength=len(rows))
    return np.asarray((start.sum() + np.cumsum(np.concatenate([[0.0], steps]))) / classes)


def _running(values: NDArray[np.int64] | Floats, begins: NDArray[np.int64]) -> Floats:
    """Return running totals that begin anew at each of `begins`."""
    total = np.cumsum(values)
    before = np.concatenate([[0], total[begins[1:] - 1]]) if len(begins) else total
    return np.asarray(total - np.repeat(before, np.diff(begins, append=len(values))), np.float64)
