"""How two sets of photos differ, property by property."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskkit.artifacts.columns import Floats
from maskkit.describing.eda_results import DuplicatePairs
from maskkit.describing.two_sample import TwoSample, auc_of


@dataclass(frozen=True)
class Difference:
    """One property in both sets."""

    name: str  # of the property
    first: float  # first, second: Its mean in each set
    second: float
    # Second mean less first, over the root of the mean of both variances (Austin 2009,
    # https://doi.org/10.1080/03610910902859574); above 0.1 without sign is said to matter. None if the
    # property is constant.
    standardised: float | None
    # Share of pairs, one photo of each set, in which the second has the higher value; 0.5 is no difference.
    auc: float


@dataclass(frozen=True)
class Share:
    """What share of each set is of one kind, such as a size or a class."""

    name: str
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """How two sets of photos differ."""

    names: tuple[str, str]  # of the two sets
    photos: tuple[int, int]  # how many each has
    faults: tuple[int, int]  # how many of them cannot be read
    people: tuple[str, ...]  # names of people that are in both
    differences: tuple[Difference, ...]  # of each property of the photos
    sizes: tuple[Share, ...]  # share of each set by width and height
    formats: tuple[Share, ...]  # share of each set by file format and colour mode
    classes: tuple[Share, ...]  # share of the labelled photos of each set by class; empty if a set has none
    duplicates: DuplicatePairs  # photos that are in both sets
    two_sample: TwoSample | None  # whether a classifier tells the sets apart; None if they are too small
    half: bool  # whether JPEGs were decoded at half their size

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def differences(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> list[Difference]:
    """Compare each property of two sets of one or more photos, (photos,) each."""
    found = []
    for name, one in first.items():
        other = second[name]
        means = float(one.mean()), float(other.mean())
        width = np.sqrt((one.var() + other.var()) / 2)
        standardised = float((means[1] - means[0]) / width) if width > 1e-9 else None
        is_second = np.repeat([False, True], [len(one), len(other)])
        found.append(Difference(name, *means, standardised, auc_of(np.concatenate([one, other]), is_second)))
    return found


def shares(first: Sequence[tuple[str, int]], second: Sequence[tuple[str, int]]) -> list[Share]:
    """Compare counts by name, in the order in which names come in the first, then in the second."""
    one, other = dict(first), dict(second)
    totals = [max(1, sum(counts.values())) for counts in (one, other)]
    return [
        Share(name, one.get(name, 0) / totals[0], other.get(name, 0) / totals[1]) for name in {**one, **other}
    ]
