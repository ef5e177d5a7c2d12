"""Which rows an epoch trains on, by name: pure functions of rows, their classes and a generator.

Only ever given rows that are trained on. Those held out are scored once each, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.dataset import Rows


class Sampler(Protocol):
    """Draws the rows of an epoch, in the order in which they are shown."""

    def __call__(self, rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, /) -> Rows:
        """Return rows, (length,), of `rows`, (N,), whose classes are `classes`, (N,)."""
        ...


def shuffle(rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, *, length: int = 0) -> Rows:
    """Return every row equally often, in random order; with the default length, each once.

    Args:
        rows: Those that may be drawn, (N,).
        classes: The class of each, (N,); makes no difference here.
        random: Decides all.
        length: Photos per epoch; 0 for N.
    """
    del classes
    return _cycled(rows, length or len(rows), random)


def weighted(rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, *, length: int = 0) -> Rows:
    """Draw with replacement so that every class is equally likely: a row by 1 / the count of its class.

    What `WeightedRandomSampler` of PyTorch does when it is given inverse counts; q = 0 in equation 1 of
    Kang et al. 2020, https://arxiv.org/abs/1910.09217. An epoch repeats the few photos of a rare class
    often, and misses many of a frequent one.

    Args:
        rows: Those that may be drawn, (N,).
        classes: The class of each, (N,).
        random: Decides all.
        length: Photos per epoch; 0 for N.
    """
    return _drawn(rows, classes, random, length=length, power=0.0)


def sqrt(rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, *, length: int = 0) -> Rows:
    """Draw with replacement so that a class is as likely as the square root of its count.

    Half-way between the photos as they are and every class alike; from Mahajan et al. 2018,
    https://arxiv.org/abs/1805.00932; q = 1/2 in equation 1 of Kang et al. 2020.

    Args:
        rows: Those that may be drawn, (N,).
        classes: The class of each, (N,).
        random: Decides all.
        length: Photos per epoch; 0 for N.
    """
    return _drawn(rows, classes, random, length=length, power=0.5)


def balanced(rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, *, length: int = 0) -> Rows:
    """Return every class equally often, and its photos equally often within it, in random order.

    Unlike `weighted`, no photo of a class comes again before all others of it came. Where the length
    cannot be divided, some classes, drawn anew, come once more; within a class likewise some photos.

    Args:
        rows: Those that may be drawn, (N,).
        classes: The class of each, (N,).
        random: Decides all.
        length: Photos per epoch; 0 for N.
    """
    if not len(rows):
        return rows
    length = length or len(rows)
    present = np.unique(classes)
    share, rest = divmod(length, len(present))
    with_more = set(random.permutation(present)[:rest].tolist())
    parts = [_cycled(rows[classes == one], share + (one in with_more), random) for one in present.tolist()]
    return random.permutation(np.concatenate(parts))


def smote(rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, *, neighbors: int = 5) -> Rows:
    """Return every row once, in random order: those made up are among them (training/smote.py).

    Args:
        rows: Of photos and of what was made up between their features, (N,).
        classes: The class of each, (N,); makes no difference here.
        random: Decides all.
        neighbors: Has made its difference before.
    """
    del neighbors
    return shuffle(rows, classes, random)


SAMPLERS: dict[str, Callable[..., Rows]] = {
    "shuffle": shuffle,
    "weighted": weighted,
    "balanced": balanced,
    "sqrt": sqrt,
    "smote": smote,
}


def _cycled(rows: Rows, length: int, random: np.random.Generator) -> Rows:
    """Return `length` rows: all in random order, then all in another one, and so on."""
    if not len(rows):
        return rows
    rounds = [random.permutation(rows) for _ in range(-(-length // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:length]


def _drawn(
    rows: Rows, classes: NDArray[np.int64], random: np.random.Generator, *, length: int, power: float
) -> Rows:
    """Draw with replacement, a class as likely as its count to the power of `power`."""
    if not len(rows):
        return rows
    counts = np.bincount(classes)[classes].astype(float)  # (N,): of each row's class
    chance = counts ** (power - 1)
    return random.choice(rows, length or len(rows), p=chance / chance.sum())
