"""Scores of parts of the photos: of bands of age, of the dark and the bright, of each kind of person.

Each slice is a bootstrap of its own, over its people alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.bootstrap import DRAWS, Bootstrap, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers
from maskkit.scoring.results import Estimate, Noise, noise
from maskkit.scoring.slice_columns import Cut

FEW_PEOPLE = 10  # of a slice of fewer little can be read off, and its interval is too narrow


@dataclass(frozen=True)
class Slice:
    """The scores of some of the photos."""

    name: str  # what they have in common
    rows: int  # photos
    people: int  # people, a photo without a person counting as a person of its own
    share: float  # of all photos scored
    macro_f1: Estimate  # mean F1 over the classes that the slice has in truth
    accuracy: Estimate  # share of right answers
    factors: dict[str, Estimate]  # share of right answers of each of several factors, by its name

    @property
    def is_few(self) -> bool:
        """Whether so few people are in it that nothing should be read off."""
        return self.people < FEW_PEOPLE


@dataclass(frozen=True)
class Slicing:
    """All slices of one kind."""

    by: str  # as `--by` names it
    slices: tuple[Slice, ...]  # in the order of levels and numbers
    # Why the best slice must not be called better than the second in accuracy; None if it may. Macro-F1
    # cannot be compared where slices have other classes. Slices of few people are left out
    noise: Noise | None

    @classmethod
    def of(cls, by: str, slices: Sequence[Slice]) -> Slicing:
        """Put slices together, and look at their differences."""
        enough = [one for one in slices if not one.is_few]
        found = noise([one.name for one in enough], [one.accuracy for one in enough])
        return cls(by, tuple(slices), found)


def score_slices(
    truth: Integers,
    answer: Integers,
    into: Cut,
    *,
    space: LabelSpace,
    person: Integers | None = None,
    macro_f1: Callable[[Counts], Floats] | None = None,
    draws: Bootstrap = DRAWS,
) -> list[Slice]:
    """Score each slice by itself, given codes of truth, answer and person (negative: unknown), (N,) each.

    `macro_f1` is from counts (..., C, C) to the macro-F1 (...); over the classes in truth if left out.
    """
    cell = metrics.cells(truth, answer, classes=len(space))
    people = number_people(person, rows=len(truth))

    def measure(counts: Counts) -> Floats:
        confusion = counts.reshape(-1, len(space), len(space))
        return metrics.overall(confusion, space, macro_f1 or _macro_f1_in_truth)

    order = np.argsort(into.code, kind="stable")
    starts = np.searchsorted(into.code[order], np.arange(len(into.names) + 1))
    found = []
    for place, name in enumerate(into.names):
        rows = order[starts[place] : starts[place + 1]]
        if not len(rows):
            continue
        own = number_people(people[rows], rows=len(rows))
        macro, accuracy, *factors = draws.estimates(cell[rows], own, cells=len(space) ** 2, measure=measure)
        names = [factor.name for factor in space.factors] if factors else []
        each = dict(zip(names, factors, strict=True))
        people_there, share = int(own.max()) + 1, len(rows) / len(truth)
        found.append(Slice(name, len(rows), people_there, share, macro, accuracy, each))
    return found


def _macro_f1_in_truth(confusion: Counts) -> Floats:
    """Return the mean F1 over the classes that have photos: an answer from outside a slice is no class of it.

    It still costs the recall of the photo's own class.
    """
    measures = metrics.per_class(confusion)
    occurs = measures.support > 0
    total = measures.f1.sum(axis=-1, where=occurs)
    return np.asarray(total / np.maximum(occurs.sum(axis=-1), 1), np.float64)
