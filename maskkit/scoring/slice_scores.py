"""Scores of parts of the photos: of bands of age, of the dark and the bright, of each kind of person.

The intervals of each slice are over its people alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.intervals import (
    CONFIDENCE,
    MANY_PEOPLE,
    around,
    macro_f1_of_truth_interval,
    share_interval,
)
from maskkit.scoring.kinds import kinds_of_people, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers
from maskkit.scoring.results import FEW_PEOPLE, Estimate
from maskkit.scoring.slice_columns import Cut
from maskkit.scoring.tally import Tally


@dataclass(frozen=True)
class Slice:
    """The scores of some of the photos."""

    name: str  # what they have in common
    photos: int  # photos
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


def score_slices(
    truth: Integers,
    answer: Integers,
    into: Cut,
    *,
    space: LabelSpace,
    person: Integers | None = None,
    confidence: float = CONFIDENCE,
) -> list[Slice]:
    """Score each slice by itself, given codes of truth, answer and person (negative: unknown), (N,) each.

    Macro-F1 is over the classes that the slice has in truth: an answer from outside it is no class of it, and
    costs the recall of the photo's own class.
    """
    cell = metrics.cells(truth, answer, classes=len(space))
    people = number_people(person, rows=len(truth))
    order = np.argsort(into.code, kind="stable")
    starts = np.searchsorted(into.code[order], np.arange(len(into.names) + 1))
    found = []
    for place, name in enumerate(into.names):
        rows = order[starts[place] : starts[place + 1]]
        if len(rows):
            own = number_people(people[rows], rows=len(rows))
            macro, accuracy, *factors = _estimates(cell[rows], own, space, confidence)
            each = {factor.name: one for factor, one in zip(space.factors, factors, strict=bool(factors))}
            shared = len(rows) / len(truth)
            found.append(Slice(name, len(rows), int(own.max()) + 1, shared, macro, accuracy, each))
    return found


def _estimates(cell: Counts, people: Counts, space: LabelSpace, confidence: float) -> Iterator[Estimate]:
    """Yield what `metrics.overall_names` names, of photos of cells and people, (N,) each."""
    classes = len(space)
    used, photo = np.unique(cell, return_inverse=True)
    truth, answer = used // classes, used % classes
    confusion = np.bincount(cell, minlength=classes**2).reshape(classes, classes)
    values = metrics.overall(confusion, space, _macro_f1_in_truth)
    kinds = kinds_of_people(photo, people) if people.any() else None  # one person is no sample of people
    ends = None
    if kinds is not None:
        tally = Tally.of_classes(kinds, truth, [answer], classes=classes)
        if people.max() >= MANY_PEOPLE - 1 or not _lacks_a_level(confusion.sum(axis=1), space):
            ends = macro_f1_of_truth_interval(tally, space.shape, confidence=confidence)
    yield around(values[0], ends)
    for value, is_right in zip(values[1:], metrics.overall_right(truth, answer, space), strict=True):
        if kinds is not None:
            ends = share_interval(Tally.of_right(kinds, [is_right]), confidence=confidence)
        yield around(value, ends)


def _lacks_a_level(support: Counts, space: LabelSpace) -> bool:
    """Whether nobody has some level of a factor of which people have several, given photos per class, (C,).

    A factor of which they have one is what the slice was cut by, or goes with it.
    """
    levels = np.unravel_index(np.flatnonzero(support), space.shape)
    each = [len(np.unique(one)) for one in levels]
    return any(1 < there < many for there, many in zip(each, space.shape, strict=True))


def _macro_f1_in_truth(confusion: Counts) -> Floats:
    """Return the mean F1 over the classes that have photos: an answer from outside a slice is no class of it.

    It still costs the recall of the photo's own class.
    """
    measures = metrics.per_class(confusion)
    occurs = measures.support > 0
    total = measures.f1.sum(axis=-1, where=occurs)
    return np.asarray(total / np.maximum(occurs.sum(axis=-1), 1), np.float64)
