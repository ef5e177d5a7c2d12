"""Fewer or more photos of some levels in an epoch, before a sampler draws from them.

Levels and people are given for every row of the manifest, and looked up by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.dataset import Rows
from maskkit.imaging.samplers import Sampler, shuffle

Mask = NDArray[np.bool_]  # (rows of the manifest,)


@dataclass(frozen=True)
class Undersample:
    """Show so many photos of a level per person and epoch: `mask=wear:2` keeps two of a person's five.

    Args:
        is_level: The rows it is about, (rows of the manifest,).
        keep: Photos per person at most, from 0.
    """

    is_level: Mask
    keep: int


@dataclass(frozen=True)
class Oversample:
    """Show each photo of a level so many times per epoch.

    Args:
        is_level: The rows it is about, (rows of the manifest,).
        times: From 1.
    """

    is_level: Mask
    times: int


def undersample(
    rows: Rows, random: np.random.Generator, *, people: NDArray[np.int64], is_level: Mask, keep: int
) -> Rows:
    """Return the rows without what a person has too many of, drawn anew by each call.

    How many are returned does not depend on the draw: `keep` of a person's rows of the level, or all
    if there are fewer.

    Args:
        rows: (N,), each once.
        random: Decides which are kept.
        people: The person of every row of the manifest, as a number; where it is negative nobody is
            named, and the row is a person of its own.
        is_level: The rows of the level, (rows of the manifest,).
        keep: Photos of the level per person.

    Returns:
        The rows that are left, in the order given.
    """
    concerned = np.flatnonzero(is_level[rows])  # places in `rows`
    person = people[rows[concerned]]
    person = np.where(person < 0, -1 - np.arange(len(person)), person)
    mixed = random.permutation(len(concerned))
    by_person = mixed[np.argsort(person[mixed], kind="stable")]  # a person's rows together, in random order
    sorted_person = person[by_person]
    rank = np.arange(len(by_person)) - np.searchsorted(sorted_person, sorted_person)
    is_kept = np.ones(len(rows), np.bool_)
    is_kept[concerned[by_person[rank >= keep]]] = False
    return rows[is_kept]


def oversample(rows: Rows, *, is_level: Mask, times: int) -> Rows:
    """Return the rows with those of a level `times` times, one after the other."""
    return np.repeat(rows, np.where(is_level[rows], times, 1))


def epoch_rows(
    rows: Rows,
    random: np.random.Generator,
    *,
    classes: NDArray[np.int64],
    people: NDArray[np.int64] | None = None,
    undersampled: Sequence[Undersample] = (),
    oversampled: Sequence[Oversample] = (),
    sampler: Sampler = shuffle,
) -> Rows:
    """Return the rows that an epoch trains on, in the order in which they are shown.

    First some are left out, then some repeated, then the sampler draws from what is left, knowing
    the counts of that. By default that is every row once, in random order.

    Args:
        rows: All that may be trained on, (N,), each once.
        random: Of the epoch; decides all.
        classes: The class of every row of the manifest.
        people: The person of every row of the manifest; needed by undersampling only.
        undersampled: What is left out, one after the other.
        oversampled: What is repeated.
        sampler: Draws the epoch.

    Returns:
        Rows, (epoch_length,).
    """
    for less in undersampled:
        if people is None:
            raise ValueError("undersampling keeps photos per person: `people` is needed")
        rows = undersample(rows, random, people=people, is_level=less.is_level, keep=less.keep)
    for more in oversampled:
        rows = oversample(rows, is_level=more.is_level, times=more.times)
    return sampler(rows, classes[rows], random)
