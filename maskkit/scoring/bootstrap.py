"""How far a score may be off because of who happened to be photographed.

The percentile bootstrap (Efron 1979, https://doi.org/10.1214/aos/1176344552) over people: people
are drawn again with replacement, each with all their photos, because photos of one person are
right or wrong together. Drawing photos one by one would make the interval too narrow (Field and
Welsh 2007, "Bootstrapping clustered data", https://doi.org/10.1111/j.1467-9868.2007.00593.x).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from maskkit.errors import MaskkitError
from maskkit.scoring.metrics import Counts, Floats, Integers, defined
from maskkit.scoring.results import Estimate

# Numbers held at a time, 8 bytes each: replicates are made in chunks of about 32 MB per array.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Kinds:
    """People grouped by what their photos are and were taken for.

    Two people whose photos count in the same cells are interchangeable in a replicate, so only
    the number of people of each kind has to be drawn. Kinds are in an order of their own, which
    makes the interval independent of the order of rows and of the people's numbers.
    """

    people: Counts  # people of each kind, (K,)
    cell: Counts  # cell of the flattened confusion matrix, ascending, (P,)
    kind: Counts  # the kind that has photos in that cell, (P,)
    photos: Counts  # how many each person of that kind has there, (P,)


def number_people(person: Integers | None, *, rows: int) -> Counts:
    """Number the people 0, 1, ... and make each row without a person a person of its own, (N,).

    Every number is in use. `person` has any code per person, negative where unknown, (N,); it is None if
    nobody is known.
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
    """Group people by the cells of the confusion matrix that their photos count in, (N,) each."""
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


@dataclass(frozen=True)
class Bootstrap:
    """How people are drawn anew.

    Raises:
        MaskkitError: There are no replicates, or the confidence is no share.
    """

    replicates: int = 1000  # how many groups of people are drawn, each as large as the whole
    seed: int = 0  # the same seed draws the same people
    confidence: float = 0.95  # share of the replicates inside each interval, between 0 and 1

    def __post_init__(self) -> None:
        if self.replicates < 1:
            raise MaskkitError(
                f"cannot draw {self.replicates} bootstrap replicates",
                why="an interval needs replicates; 1,000 are usual",
                fix="use 1 or more",
            )
        if not 0 < self.confidence < 1:
            raise MaskkitError(
                f"cannot give a {self.confidence} interval",
                why="the confidence is a share between 0 and 1; 0.95 is usual",
                fix="choose a number such as 0.95",
            )

    def estimates(
        self, cell: Counts, people: Counts, *, cells: int, measure: Callable[[Counts], Floats]
    ) -> list[Estimate]:
        """Measure photos, each measure with its interval; without one if there is a single person to draw.

        Each photo has a cell that it counts in, and a person as from `number_people`, (N,) both; `measure`
        is from photos per cell, (R, cells), to measures, (R, M), NaN where undefined.
        """
        value = measure(np.bincount(cell, minlength=cells)[None])[0]
        redrawn = np.concatenate([measure(one) for one in self.redrawn(kinds_of_people(cell, people), cells)])
        return self.around(value, redrawn, people)

    def around(self, value: Floats, redrawn: Floats, people: Counts) -> list[Estimate]:
        """Return measures, (M,), with the intervals of their replicates, (R, M)."""
        if people.max(initial=0) == 0:
            redrawn = np.full_like(redrawn, np.nan)  # the same person each time is no sample of people
        return [Estimate(*map(defined, each)) for each in zip(value, *self.interval(redrawn), strict=True)]

    def redrawn(self, kinds: Kinds, cells: int, *, room: int = 0) -> Iterator[Counts]:
        """Yield how many photos of each redrawn group of people are in each cell, (R, cells), R at a time.

        So few come at a time that `room` numbers, which the caller makes of each, have room too.
        """
        generator = np.random.default_rng(self.seed)
        people = int(kinds.people.sum())
        start = np.flatnonzero(np.diff(kinds.cell, prepend=-1))  # where each used cell begins
        for size in self._chunks(max(len(kinds.cell), cells, room)):
            drawn = generator.multinomial(people, kinds.people / people, size=size)  # (R, K)
            photos = drawn[:, kinds.kind] * kinds.photos  # (R, P)
            counts = np.zeros((size, cells), dtype=np.int64)
            counts[:, kinds.cell[start]] = np.add.reduceat(photos, start, axis=1)
            yield counts

    def redrawn_means(self, values: Floats, people: Counts) -> Floats:
        """Return the mean over photos of several values, (N, M), for each redrawn group, (replicates, M)."""
        photos = np.bincount(people)  # (people,)
        sums = np.stack([np.bincount(people, column) for column in values.T], axis=1)  # (people, M)
        generator = np.random.default_rng(self.seed)
        means = []
        for size in self._chunks(len(photos)):
            drawn = generator.multinomial(len(photos), np.full(len(photos), 1 / len(photos)), size=size)
            means.append((drawn @ sums) / (drawn @ photos)[:, None])
        return np.concatenate(means)

    def interval(self, values: Floats) -> Floats:
        """Return the bounds between which the middle `confidence` of the replicates lie, (2, M), from (R, M).

        NaN, where a replicate leaves a measure undefined (nobody of a rare class was drawn), is passed over;
        where none defines it, the bounds are NaN.
        """
        bounds = np.full((2, values.shape[1]), np.nan)
        outside = (1 - self.confidence) / 2
        for column, measure in enumerate(values.T):
            defined = measure[~np.isnan(measure)]
            if defined.size:
                bounds[:, column] = np.quantile(defined, [outside, 1 - outside])
        return bounds

    def _chunks(self, numbers: int) -> Iterator[int]:
        """Yield how many replicates to hold at a time, each of so many numbers."""
        chunk = max(1, _CHUNK // numbers)
        for done in range(0, self.replicates, chunk):
            yield min(chunk, self.replicates - done)


DRAWS = Bootstrap()  # where no other is given
