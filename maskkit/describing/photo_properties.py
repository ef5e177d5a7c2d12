"""Properties of photos and numbers of people: their spread, histograms, and what is at the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Floats, Ints

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_BARS = 24
TAIL = 0.005  # of the values, beyond each end of a histogram, counts in its last bar
NEAR = 2  # units of a numeric factor, such as years, that a value is said to be near to a cut
EXTREMES = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("flattest", ""),
    "sharpness": ("blurriest", ""),
}
MOST_EXTREME = 8


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each range."""

    # From the least to the largest, ascending, (bars + 1,); a value equal to an edge lies above it, but for
    # the last.
    edges: tuple[float, ...]
    counts: tuple[int, ...]  # (bars,); the first and the last also count what lies beyond them


@dataclass(frozen=True)
class Spread:
    """One property of the photos."""

    name: str  # of the property
    mean: float  # over the photos
    std: float  # standard deviation over the photos
    quantiles: tuple[float, ...]  # by QUANTILES
    histogram: Histogram  # of all photos

    @property
    def is_constant(self) -> bool:
        """Whether all photos have the same value."""
        return self.quantiles[0] == self.quantiles[-1]

    def quantile(self, share: float) -> float:
        """Return the value that this share of the photos is below; one of QUANTILES."""
        return self.quantiles[QUANTILES.index(share)]


@dataclass(frozen=True)
class Ages:
    """A numeric factor, such as age."""

    name: str  # of the factor
    cuts: tuple[float, ...]  # where its levels begin
    people: Histogram  # histogram over people, by their first photo; every cut is an edge
    photos: Histogram  # histogram over photos, of the same edges
    # For each cut, how many people are less than `NEAR` below it, and at or less than that above.
    near: tuple[tuple[int, int], ...]


def spread(name: str, values: Floats) -> Spread:
    """Describe one property of one or more photos, (photos,)."""
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    if low == high:  # nearly all are alike, and the others are what there is to see
        low, high = values.min(), values.max()
    step = (high - low) / MOST_BARS
    edges = low + step * np.arange(MOST_BARS + 1) if step > 0 else np.array([low, high])
    quantiles = np.quantile(values, QUANTILES)
    mean, std = float(values.mean()), float(values.std())
    return Spread(name, mean, std, tuple(quantiles.tolist()), histogram(values, edges))


def histogram(values: Floats, edges: Floats) -> Histogram:
    """Count values, (values,), between edges, (bars + 1,); those beyond count in the last bar."""
    bars = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return Histogram(tuple(edges.tolist()), tuple(np.bincount(bars, minlength=len(edges) - 1).tolist()))


def ages(name: str, numbers: Floats, person: Ints, cuts: Sequence[float]) -> Ages | None:
    """Describe a numeric factor, or return None if no number is known.

    Each photo has a number, NaN if unknown, and a person, as a code from 0, (photos,) both.
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


def even_edges(low: float, high: float, cuts: Sequence[float]) -> Floats:
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


@dataclass(frozen=True)
class PhotoProperties:
    """Properties of readable photos."""

    photos: int  # how many there are
    spreads: tuple[Spread, ...]  # each property over the photos
    mean: tuple[float, ...]  # per channel, over all pixels, of values from 0 to 1; each photo counts the same
    std: tuple[float, ...]  # likewise
    # Photos by size, `384x512` for 384 wide and 512 high, the most frequent first.
    sizes: tuple[tuple[str, int], ...]
    formats: tuple[tuple[str, int], ...]  # photos by file format and colour mode, likewise
    # Photos at the ends, by what they are: `darkest`, ...; the most extreme first.
    extremes: dict[str, tuple[str, ...]]


def properties(looks: NDArray[np.void]) -> dict[str, Floats]:
    """Return the properties of readable photos as `maskkit.imaging.survey` finds them, (photos,) each."""
    width, height = looks["width"].astype(np.float64), looks["height"].astype(np.float64)
    plain = {name: looks[name].astype(np.float64) for name in ("brightness", "contrast", "sharpness")}
    found = {"width": width, "height": height, "aspect": width / height, "kilobytes": looks["bytes"] / 1000}
    return {**found, "bytes per pixel": looks["bytes"] / (width * height), **plain}


def features(looks: NDArray[np.void]) -> dict[str, Floats]:
    """Return what a classifier of sets may use, (photos,) each: light, colour, compression, not size."""
    values = properties(looks)
    chosen = {name: values[name] for name in ("aspect", "brightness", "contrast")}
    chosen["sharpness"] = np.log1p(values["sharpness"])
    chosen["bytes per pixel"] = np.log(values["bytes per pixel"])
    for index, channel in enumerate(("red", "green", "blue")):
        chosen[f"{channel} mean"] = looks["mean"][:, index].astype(np.float64)
        chosen[f"{channel} std"] = looks["std"][:, index].astype(np.float64)
    return chosen


def photo_properties(
    looks: NDArray[np.void], names: Sequence[str], colour: tuple[Floats, Floats]
) -> PhotoProperties:
    """Describe one or more readable photos, as `maskkit.imaging.survey` finds them, (photos,).

    The colour is mean and standard deviation per channel, (3,) each.
    """
    values = properties(looks)
    sizes = Counter(f"{one}x{other}" for one, other in zip(looks["width"], looks["height"], strict=True))
    kinds = zip(looks["format"], looks["mode"], strict=True)
    formats = Counter(f"{one.decode()} {other.decode()}" for one, other in kinds)
    extremes = {}
    for name, (low, high) in EXTREMES.items():
        order = np.argsort(values[name], kind="stable")
        extremes[low] = tuple(names[row] for row in order[:MOST_EXTREME])
        if high:
            extremes[high] = tuple(names[row] for row in order[::-1][:MOST_EXTREME])
    return PhotoProperties(
        len(looks),
        tuple(spread(name, column) for name, column in values.items()),
        mean=tuple(colour[0].tolist()),
        std=tuple(colour[1].tolist()),
        sizes=tuple(sizes.most_common()),
        formats=tuple(formats.most_common()),
        extremes=extremes,
    )
