"""Numbers of photos and people: their spread, and how often each range of values occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_BARS = 24
TAIL = 0.005  # of the values, beyond each end of a histogram, counts in its last bar


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each range.

    Args:
        edges: From the least to the largest, ascending, (bars + 1,); a value equal to an edge lies above it,
            but for the last.
        counts: (bars,); the first and the last also count what lies beyond them.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class NumberSpread:
    """One property of the photos.

    Args:
        name: Of the property.
        mean: Over the photos.
        std: Standard deviation over the photos.
        quantiles: By QUANTILES.
        histogram: Of all photos.
    """

    name: str
    mean: float
    std: float
    quantiles: tuple[float, ...]
    histogram: Histogram

    @property
    def is_constant(self) -> bool:
        """Whether all photos have the same value."""
        return self.quantiles[0] == self.quantiles[-1]

    def quantile(self, share: float) -> float:
        """Return the value that this share of the photos is below; one of QUANTILES."""
        return self.quantiles[QUANTILES.index(share)]


@dataclass(frozen=True)
class Ages:
    """A numeric factor, such as age.

    Args:
        name: Of the factor.
        cuts: Where its levels begin.
        people: Histogram over people, by their first photo; every cut is an edge.
        photos: Histogram over photos, of the same edges.
        near: For each cut, how many people are less than `NEAR` below it, and at or less than that above.
    """

    name: str
    cuts: tuple[float, ...]
    people: Histogram
    photos: Histogram
    near: tuple[tuple[int, int], ...]


NEAR = 2  # units of the factor, such as years, that a value is said to be near to a cut


def spread(name: str, values: NDArray[np.float64]) -> NumberSpread:
    """Describe one property of one or more photos, (photos,)."""
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    if low == high:  # nearly all are alike, and the others are what there is to see
        low, high = values.min(), values.max()
    step = (high - low) / MOST_BARS
    edges = low + step * np.arange(MOST_BARS + 1) if step > 0 else np.array([low, high])
    quantiles = np.quantile(values, QUANTILES)
    return NumberSpread(
        name,
        float(values.mean()),
        float(values.std()),
        tuple(quantiles.tolist()),
        histogram(values, edges),
    )


def histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> Histogram:
    """Count values, (values,), between edges, (bars + 1,); those beyond count in the last bar."""
    bars = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return Histogram(tuple(edges.tolist()), tuple(np.bincount(bars, minlength=len(edges) - 1).tolist()))


def ages(
    name: str, numbers: NDArray[np.float64], person: NDArray[np.int64], cuts: Sequence[float]
) -> Ages | None:
    """Describe a numeric factor.

    Args:
        name: Of the factor.
        numbers: Of each photo, NaN if unknown, (photos,).
        person: The person of each photo, as a code from 0, (photos,).
        cuts: Where its levels but the first begin.

    Returns:
        None if no number is known.
    """
    known = ~np.isnan(numbers)
    if not known.any():
        return None
    _, first = np.unique(person[known], return_index=True)
    each = numbers[known][first]  # (people,)
    edges = even_edges(float(np.nanmin(numbers)), float(np.nanmax(numbers)), cuts)
    near = tuple(
        (int(((each >= cut - NEAR) & (each < cut)).sum()), int(((each >= cut) & (each < cut + NEAR)).sum()))
        for cut in cuts
    )
    return Ages(name, tuple(cuts), histogram(each, edges), histogram(numbers[known], edges), near)


def even_edges(low: float, high: float, cuts: Sequence[float]) -> NDArray[np.float64]:
    """Return round edges from at or below `low` to above `high`, of which each cut between is one."""
    rough = max((high - low) / MOST_BARS, 1e-9)
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    if low.is_integer() and high.is_integer():
        step = max(1.0, step)
    marks = step * np.arange(floor(low / step), ceil(high / step) + 1)
    if marks[-1] <= high:
        marks = np.append(marks, marks[-1] + step)
    return np.union1d(marks, [cut for cut in cuts if marks[0] < cut < marks[-1]])
