"""Which rows an epoch trains on: some left out or repeated, and what a sampler draws from the rest.

Only ever given rows that are trained on; those held out are scored once each, in order. Levels and people are
given for every row of the manifest, and looked up by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.dataset import Rows

Mask = NDArray[np.bool_]  # (rows of the manifest,)
Classes = NDArray[np.int64]  # of each row that may be drawn, (N,)
Random = np.random.Generator


class Sampler(Protocol):
    """Draws the rows of an epoch, in the order in which they are shown."""

    def __call__(self, rows: Rows, classes: Classes, random: Random, /) -> Rows:
        """Return rows, (length,), of `rows`, (N,); each of SAMPLERS takes a `length` too, 0 for N."""


def shuffle(rows: Rows, classes: Classes, random: Random, *, length: int = 0) -> Rows:
    """Return every row equally often, in random order; with the default length, each once."""
    del classes
    return _cycled(rows, length or len(rows), random)


def weighted(rows: Rows, classes: Classes, random: Random, *, length: int = 0) -> Rows:
    """Draw with replacement so that every class is equally likely: a row by 1 / the count of its class.

    What `torch.utils.data.WeightedRandomSampler` does when it is given inverse counts; q = 0 in equation 1 of
    Kang et al. 2020, https://arxiv.org/abs/1910.09217. An epoch repeats the few photos of a rare class
    often, and misses many of a frequent one.
    """
    return _drawn(rows, classes, random, length=length, power=0.0)


def sqrt(rows: Rows, classes: Classes, random: Random, *, length: int = 0) -> Rows:
    """Draw with replacement so that a class is as likely as the square root of its count.

    Half-way between the photos as they are and every class alike; from Mahajan et al. 2018,
    https://arxiv.org/abs/1805.00932; q = 1/2 in equation 1 of Kang et al. 2020.
    """
    return _drawn(rows, classes, random, length=length, power=0.5)


def balanced(rows: Rows, classes: Classes, random: Random, *, length: int = 0) -> Rows:
    """Return every class equally often, and its photos equally often within it, in random order.

    Unlike `weighted`, no photo of a class comes again before all others of it came. Where the length
    cannot be divided, some classes, drawn anew, come once more; within a class likewise some photos.
    """
    if not len(rows):
        return rows
    length = length or len(rows)
    present = np.unique(classes)
    share, rest = divmod(length, len(present))
    with_more = set(random.permutation(present)[:rest].tolist())
    parts = [_cycled(rows[classes == one], share + (one in with_more), random) for one in present.tolist()]
    return random.permutation(np.concatenate(parts))


def smote(rows: Rows, classes: Classes, random: Random, *, neighbors: int = 5) -> Rows:
    """Return every row once, in random order: those made up are among them (training/smote.py)."""
    del neighbors
    return shuffle(rows, classes, random)


SAMPLERS: dict[str, Callable[..., Rows]] = {
    "shuffle": shuffle,
    "weighted": weighted,
    "balanced": balanced,
    "sqrt": sqrt,
    "smote": smote,
}


def _cycled(rows: Rows, length: int, random: Random) -> Rows:
    """Return `length` rows: all in random order, then all in another one, and so on."""
    if not len(rows):
        return rows
    rounds = [random.permutation(rows) for _ in range(-(-length // len(rows)))]
    return np.concatenate([rows[:0], *rounds])[:length]


def _drawn(rows: Rows, classes: Classes, random: Random, *, length: int, power: float) -> Rows:
    """Draw with replacement, a class as likely as its count to the power of `power`."""
    if not len(rows):
        return rows
    counts = np.bincount(classes)[classes].astype(float)  # (N,): of each row's class
    chance = counts ** (power - 1)
    return random.choice(rows, length or len(rows), p=chance / chance.sum())


@dataclass(frozen=True)
class Undersample:
    """Show so many photos of a level per person and epoch: `mask=wear:2` keeps two of a person's five."""

    is_level: Mask
    keep: int  # photos per person at most, from 0

    def __call__(self, rows: Rows, random: Random, people: NDArray[np.int64]) -> Rows:
        """Return the rows, (N,) each once, without what a person has too many of, drawn anew by each call.

        How many are returned does not depend on the draw: `keep` of a person's rows of the level, or all
        if there are fewer. They stay in the order given. `people` is the person of every row of the manifest,
        as a number; where it is negative nobody is named, and the row is a person of its own.
        """
        concerned = np.flatnonzero(self.is_level[rows])  # places in `rows`
        person = people[rows[concerned]]
        person = np.where(person < 0, -1 - np.arange(len(person)), person)
        mixed = random.permutation(len(concerned))
        # A person's rows together, in random order.
        by_person = mixed[np.argsort(person[mixed], kind="stable")]
        sorted_person = person[by_person]
        rank = np.arange(len(by_person)) - np.searchsorted(sorted_person, sorted_person)
        is_kept = np.ones(len(rows), np.bool_)
        is_kept[concerned[by_person[rank >= self.keep]]] = False
        return rows[is_kept]


@dataclass(frozen=True)
class Oversample:
    """Show each photo of a level so many times per epoch."""

    is_level: Mask
    times: int  # from 1

    def __call__(self, rows: Rows) -> Rows:
        """Return the rows with those of the level `times` times, one after the other."""
        return np.repeat(rows, np.where(self.is_level[rows], self.times, 1))


def epoch_rows(
    rows: Rows,
    random: Random,
    *,
    classes: NDArray[np.int64],
    people: NDArray[np.int64] | None = None,
    undersampled: Sequence[Undersample] = (),
    oversampled: Sequence[Oversample] = (),
    sampler: Sampler = shuffle,
) -> Rows:
    """Return the rows that an epoch trains on, (epoch_length,), in the order in which they are shown.

    First some are left out, then some repeated, then the sampler draws from what is left, knowing the counts
    of that: by default every row once, in random order. `rows` are all that may be trained on, (N,), each
    once; classes and people are those of every row of the manifest, people for undersampling alone.
    """
    for fewer in undersampled:
        if people is None:
            raise ValueError("undersampling keeps photos per person: `people` is needed")
        rows = fewer(rows, random, people)
    for more in oversampled:
        rows = more(rows)
    return sampler(rows, classes[rows], random)
