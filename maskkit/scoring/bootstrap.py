"""How far a score may be off because of who happened to be photographed.

The percentile bootstrap (Efron 1979, https://doi.org/10.1214/aos/1176344552) over people: people
are drawn again with replacement, each with all their photos, because photos of one person are
right or wrong together. Drawing photos one by one would make the interval too narrow (Field and
Welsh 2007, "Bootstrapping clustered data", https://doi.org/10.1111/j.1467-9868.2007.00593.x).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maskkit.errors import MaskkitError
from maskkit.scoring.metrics import Counts, Floats, Integers

# Numbers held at a time, 8 bytes each: replicates are made in chunks of about 32 MB per array.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Kinds:
    """People grouped by what their photos are and were taken for.

    Two people whose photos count in the same cells are interchangeable in a replicate, so only
    the number of people of each kind has to be drawn. Kinds are in an order of their own, which
    makes the interval independent of the order of rows and of the people's numbers.

    Args:
        people: People of each kind, (K,).
        cell: Cell of the flattened confusion matrix, ascending, (P,).
        kind: The kind that has photos in that cell, (P,).
        photos: How many each person of that kind has there, (P,).
    """

    people: Counts
    cell: Counts
    kind: Counts
    photos: Counts


def number_people(person: Integers | None, *, rows: int) -> Counts:
    """Number the people 0, 1, ... and make each row without a person a person of its own.

    Args:
        person: Any code per person, negative where unknown, (N,); None if nobody is known.
        rows: Number of rows N.

    Returns:
        Person of each row, every number in use, (N,).
    """
    if person is None:
        return np.arange(rows, dtype=np.int64)
    known = person >= 0
    names, number = np.unique(person[known], return_inverse=True)
    people = np.empty(rows, dtype=np.int64)
    people[known] = number
    people[~known] = len(names) + np.arange(rows - len(number))
    return people


def kinds_of_people(cell: Counts, person: Counts) -> Kinds:
    """Group people by the cells of the confusion matrix that their photos count in.

    Args:
        cell: Cell of each row, (N,), as `metrics.cells` returns it.
        person: Person of each row, (N,), as `number_people` returns it.
    """
    in_order = cell[np.lexsort((cell, person))]
    photos = np.bincount(person)  # (people,)
    first = np.cumsum(photos) - photos
    people, pairs, found = [], [], 0
    for size in np.unique(photos):
        rows = first[photos == size, None] + np.arange(size)  # (people of this size, size)
        patterns, counts = np.unique(in_order[rows], axis=0, return_counts=True)
        kind = np.repeat(np.arange(found, found + len(patterns)), size)
        pairs.append(np.stack([patterns.ravel(), kind]))
        people.append(counts)
        found += len(patterns)
    cell_of, kind_of = np.concatenate(pairs, axis=1)
    pair, photos = np.unique(cell_of * found + kind_of, return_counts=True)
    return Kinds(np.concatenate(people), pair // found, pair % found, photos)


def replicates(kinds: Kinds, *, classes: int, count: int = 1000, seed: int = 0) -> Iterator[Counts]:
    """Yield the confusion matrices of `count` redrawn groups of people, some at a time.

    Args:
        kinds: The people that were scored.
        classes: Number of classes C.
        count: How many replicates to draw in all.
        seed: The same seed draws the same people.

    Yields:
        Counts (R, C, C), of as many replicates R as memory allows.

    Raises:
        MaskkitError: If `count` is not positive.
    """
    for counts in redrawn(kinds, cells=classes**2, count=count, seed=seed):
        yield counts.reshape(len(counts), classes, classes)


def redrawn(kinds: Kinds, *, cells: int, count: int, seed: int, room: int = 0) -> Iterator[Counts]:
    """Yield how many photos of `count` redrawn groups of people are in each cell, some groups at a time.

    Args:
        kinds: The people, by the cells of their photos.
        cells: Number of cells.
        count: How many replicates to draw in all.
        seed: The same seed draws the same people.
        room: Numbers that the caller makes of each replicate, so that fewer come at a time.

    Yields:
        Counts (R, cells).

    Raises:
        MaskkitError: If `count` is not positive.
    """
    if count < 1:
        raise MaskkitError(
            f"cannot draw {count} bootstrap replicates",
            why="an interval needs replicates; 1,000 are usual",
            fix="ask for 1 or more",
        )
    generator = np.random.default_rng(seed)
    people = int(kinds.people.sum())
    start = np.flatnonzero(np.diff(kinds.cell, prepend=-1))  # where each used cell begins
    chunk = max(1, _CHUNK // max(len(kinds.cell), cells, room))
    for done in range(0, count, chunk):
        size = min(chunk, count - done)
        drawn = generator.multinomial(people, kinds.people / people, size=size)  # (R, K)
        photos = drawn[:, kinds.kind] * kinds.photos  # (R, P)
        counts = np.zeros((size, cells), dtype=np.int64)
        counts[:, kinds.cell[start]] = np.add.reduceat(photos, start, axis=1)
        yield counts


def redrawn_means(values: Floats, person: Counts, *, count: int, seed: int) -> Floats:
    """Return the mean over photos of each of several values, for redrawn groups of people, (count, M).

    Args:
        values: Of each photo, (N, M).
        person: Person of each photo, (N,), as `number_people` returns it.
        count: Replicates.
        seed: The same seed draws the same people.
    """
    photos = np.bincount(person)  # (people,)
    sums = np.stack([np.bincount(person, column) for column in values.T], axis=1)  # (people, M)
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // len(photos))
    means = []
    for done in range(0, count, chunk):
        size = min(chunk, count - done)
        drawn = generator.multinomial(len(photos), np.full(len(photos), 1 / len(photos)), size=size)
        means.append((drawn @ sums) / (drawn @ photos)[:, None])
    return np.concatenate(means)


def percentile_interval(values: Floats, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the bounds between which the middle `confidence` of the replicates lie.

    Args:
        values: One measure per column, (R, M). NaN, where a replicate leaves a measure undefined
            (nobody of a rare class was drawn), is passed over.
        confidence: Share inside, between 0 and 1.

    Returns:
        Low and high, (M,) each; NaN where no replicate defines the measure.
    """
    if not 0 < confidence < 1:
        raise MaskkitError(
            f"cannot give a {confidence} interval",
            why="the confidence is a share between 0 and 1; 0.95 is usual",
            fix="choose a number such as 0.95",
        )
    bounds = np.full((2, values.shape[1]), np.nan)
    outside = (1 - confidence) / 2
    for column, measure in enumerate(values.T):
        defined = measure[~np.isnan(measure)]
        if defined.size:
            bounds[:, column] = np.quantile(defined, [outside, 1 - outside])
    return bounds[0], bounds[1]
