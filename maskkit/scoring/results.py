"""Everything an evaluation reports, as one value that JSON, TSV, the terminal and HTML share.

Of two scores beside each other, the interval of their difference follows from the intervals of the two
(Newcombe 1998, method 10,
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

Matrix = tuple[tuple[int, ...], ...]

MOST_COMPARED = 60  # scores of which all pairs are looked at; of more, the first
FEW_PEOPLE = 10  # of a slice of fewer, little can be read off
SMALLEST = 0.0005  # differences are shown with three decimals


@dataclass(frozen=True)
class Estimate:
    """A measure, or the difference of two, and its interval over people; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        value = "unknown" if self.value is None else f"{self.value:.3f}"
        between = "" if self.low is None or self.high is None else f" ({self.low:.3f} to {self.high:.3f})"
        return value + between

    @property
    def is_noise(self) -> bool | None:
        """Whether the interval of a difference holds 0; None if there is no interval."""
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high

    @property
    def verdict(self) -> str:
        """Say of a difference whether it is more than noise."""
        if self.low is None or self.is_noise is None:
            return "nobody can say whether that is noise"
        return (
            "inside the noise" if self.is_noise else f"{'better' if self.low > 0 else 'worse'} than the noise"
        )


@dataclass(frozen=True)
class ClassScore:
    """One class, or one level of a factor."""

    name: str  # its name
    rows: int  # photos that are of it in truth (its support)
    people: int  # people who have such a photo
    precision: float | None  # share of its answers that are right; None if it was never answered
    recall: float | None  # share of its photos that were found; None if it has none
    f1: Estimate  # their harmonic mean; of unknown value if it is in neither truth nor answers


@dataclass(frozen=True)
class FactorScore:
    """One factor, the others ignored; confusion rows are truth, columns answers."""

    name: str
    macro_f1: Estimate
    accuracy: Estimate
    levels: tuple[ClassScore, ...]
    confusion: Matrix


@dataclass(frozen=True)
class FoldScore:
    """The rows held out in one fold; its macro-F1 is over the classes that occur there."""

    fold: int
    rows: int
    people: int
    macro_f1: float
    accuracy: float


@dataclass(frozen=True)
class FoldSpread:
    """Mean of the folds' own scores, and their sample standard deviation (None for one fold)."""

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class FoldScores:
    """Each held-out fold's own score, and how far they spread."""

    each: tuple[FoldScore, ...]
    macro_f1: FoldSpread
    accuracy: FoldSpread


@dataclass(frozen=True)
class Scores:
    """What an evaluation found."""

    rows: int  # photos scored
    people: int  # people scored, a photo without a person counting as a person of its own
    rows_without_person: int  # photos whose person is not known
    macro_f1: Estimate  # the headline: mean F1 over the classes that occur
    accuracy: Estimate  # share of right answers
    classes: tuple[ClassScore, ...]  # every class in class order
    factors: tuple[FactorScore, ...]  # every factor in the label space's order
    confusion: Matrix  # joint confusion, (C, C); rows are truth, columns answers
    folds: FoldScores | None  # scores per held-out fold; None if no folds were given
    confidence: float  # that an interval holds the score of all people like these
    limits: tuple[str, ...] = ()  # why macro-F1 has no interval, as sentences; none if it has one


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
    """Look whether the best of several scores, of which more is better, is more than noise above the second.

    None if the best two are told apart, or there are not two with an interval; others are passed over.
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
