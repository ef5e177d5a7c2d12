"""Everything an evaluation reports, as one value that JSON, TSV, the terminal and HTML share."""

from dataclasses import asdict, dataclass
from typing import Any

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Estimate:
    """A measure, or the difference of two, and its interval over people; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None

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
    """One class, or one level of a factor.

    Args:
        name: Its name.
        rows: Photos that are of it in truth (its support).
        people: People who have such a photo.
        precision: Share of its answers that are right; None if it was never answered.
        recall: Share of its photos that were found; None if it has none.
        f1: Their harmonic mean; undefined if it is in neither truth nor answers.
    """

    name: str
    rows: int
    people: int
    precision: float | None
    recall: float | None
    f1: Estimate


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
    """What an evaluation found.

    Args:
        rows: Photos scored.
        people: People scored, a photo without a person counting as a person of its own.
        rows_without_person: Photos whose person is not known.
        macro_f1: The headline: mean F1 over the classes that occur.
        accuracy: Share of right answers.
        classes: Every class in class order.
        factors: Every factor in the label space's order.
        confusion: Joint confusion, (C, C); rows are truth, columns answers.
        folds: Scores per held-out fold; None if no folds were given.
        confidence: Share of the replicates inside each interval.
        replicates: Bootstrap replicates drawn.
        seed: The seed they were drawn with.
    """

    rows: int
    people: int
    rows_without_person: int
    macro_f1: Estimate
    accuracy: Estimate
    classes: tuple[ClassScore, ...]
    factors: tuple[FactorScore, ...]
    confusion: Matrix
    folds: FoldScores | None
    confidence: float
    replicates: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts and tuples in the order of the fields, floats unrounded."""
        return asdict(self)
