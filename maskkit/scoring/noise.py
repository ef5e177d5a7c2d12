"""Whether a difference between two scores beside each other is more than their intervals allow.

The interval of a difference follows from the intervals of the two (Newcombe 1998, method 10,
https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; for any two estimates
Zou and Donner 2008, https://doi.org/10.1002/sim.3095): each end is as far away as the root of the summed
squares of the distances to the ends that face each other. It takes the two to be of different people. Where
they share people, as slices by the kind of mask do, scores rise and fall together and the true interval is
narrower; two models on the same photos are compared by `paired` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import median

from maskkit.scoring.results import Estimate

MOST_COMPARED = 60  # scores of which all pairs are looked at; of more, the first
SMALLEST = 0.0005  # differences are shown with three decimals


@dataclass(frozen=True)
class Noise:
    """The best two of several scores, which cannot be told apart."""

    best: str  # name of the one with the highest score
    second: str  # name of the next
    difference: Estimate  # the best's score less the other's, and its interval, which contains 0
    below: float  # what two of the scores have to differ by to be told apart, in the middle of all pairs

    @property
    def sentence(self) -> str:
        """Say what must not be read off."""
        return (
            f"not told apart: {self.best} and {self.second}, the best two; "
            f"differences below {self.below:.3f} between these are inside the noise"
        )


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Return the first score less the second, with its interval; undefined where one of the two is."""
    if first.value is None or second.value is None:
        return Estimate(None, None, None)
    value = first.value - second.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(value, None, None)
    down = sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    up = sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Estimate(value, value - down, value + up)


def noise(names: Sequence[str], scores: Sequence[Estimate]) -> Noise | None:
    """Look whether the best of several scores is more than noise above the second.

    Args:
        names: Of the scores.
        scores: Measures of which more is better. Those without an interval are passed over.

    Returns:
        None if the best two are told apart, or there are not two scores.
    """
    known = [
        (name, one)
        for name, one in zip(names, scores, strict=True)
        if one.value is not None and one.low is not None and one.high is not None
    ]
    if len(known) < 2:
        return None
    (best, first), (second, other) = sorted(known, key=lambda pair: -(pair[1].value or 0.0))[:2]
    found = difference(first, other)
    if not found.is_noise:
        return None
    pairs = combinations([one for _, one in known[:MOST_COMPARED]], 2)
    return Noise(best, second, found, max(SMALLEST, median(_needed(*pair) for pair in pairs)))


def _needed(first: Estimate, second: Estimate) -> float:
    """Return how far apart two scores with such intervals have to be."""
    high, low = (first, second) if (first.value or 0.0) >= (second.value or 0.0) else (second, first)
    found = difference(high, low)
    return (found.value or 0.0) - (found.low or 0.0)
