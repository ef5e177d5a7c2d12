"""Everything an evaluation reports, as one value that JSON, TSV, the terminal and HTML share."""

from __future__ import annotations

from dataclasses import dataclass

Matrix = tuple[tuple[int, ...], ...]

FEW_PEOPLE = 10  # of a slice of fewer, little can be read off


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
    photos: int  # photos that are of it in truth (its support)
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
    photos: int
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

    photos: int  # photos scored
    people: int  # people scored, a photo without a person counting as a person of its own
    photos_without_person: int  # photos whose person is not known
    macro_f1: Estimate  # the headline: mean F1 over the classes that occur
    accuracy: Estimate  # share of right answers
    classes: tuple[ClassScore, ...]  # every class in class order
    factors: tuple[FactorScore, ...]  # every factor in the label space's order
    confusion: Matrix  # joint confusion, (C, C); rows are truth, columns answers
    folds: FoldScores | None  # scores per held-out fold; None if no folds were given
    confidence: float  # that an interval holds the score of all people like these
    limits: tuple[str, ...] = ()  # why macro-F1 has no interval, as sentences; none if it has one
