"""Score answers against the truth: every measure, each with its interval over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.intervals import (
    CONFIDENCE,
    MANY_PEOPLE,
    Ends,
    around,
    class_intervals,
    share_interval,
)
from maskkit.scoring.kinds import Kinds, kinds_of_people, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers
from maskkit.scoring.results import (
    ClassScore,
    FactorScore,
    FoldScore,
    FoldScores,
    FoldSpread,
    Matrix,
    Scores,
)
from maskkit.scoring.tally import Tally


def score(
    truth: Integers,
    answer: Integers,
    *,
    space: LabelSpace,
    person: Integers | None = None,
    fold: Integers | None = None,
    confidence: float = CONFIDENCE,
) -> Scores:
    """Score answers against the truth, (N,) each, with intervals over people.

    People are codes, negative where unknown, (N,). Without them every photo counts as a person of its own,
    which makes intervals too narrow if people have several photos; those of a single person are undefined.
    Photos whose fold, (N,), is negative are in no fold's score.

    Raises:
        MaskkitError: Truth and answers differ in length, or a class is not in the label space.
    """
    classes = len(space)
    cell = metrics.cells(truth, answer, classes=classes)  # (N,)
    people = number_people(person, rows=len(truth))  # (N,)
    joint = metrics.confusion(truth, answer, classes=classes)
    scorer = _Scorer.of(cell, people, classes, confidence)
    missing = _missing_levels(joint.sum(axis=1), space) if 1 < scorer.several < MANY_PEOPLE else {}
    whole = scorer.table("", space.names, joint, np.arange(classes), space.shape, is_limited=bool(missing))
    levels = np.stack(np.unravel_index(np.arange(classes), space.shape))  # (factors, C)
    return Scores(
        photos=len(truth),
        people=scorer.several,
        photos_without_person=len(truth) if person is None else int((person < 0).sum()),
        macro_f1=whole.macro_f1,
        accuracy=whole.accuracy,
        classes=whole.levels,
        factors=tuple(
            scorer.table(
                one.name, one.levels, metrics.factor_confusion(joint, space, place), levels[place],
                (len(one.levels),), is_limited=one.name in missing,
            )
            for place, one in enumerate(space.factors)
        ),
        confusion=whole.confusion,
        folds=None if fold is None else fold_scores(cell, people, fold, classes=classes),
        confidence=confidence,
        limits=tuple(_limit(name, scorer.several) for names in missing.values() for name in names),
    )  # fmt: skip


@dataclass(frozen=True)
class _Scorer:
    """What tables of the same answers share: who is on the photos."""

    cell: Counts  # cells of the joint matrix that have photos, ascending, (P,)
    photo: Counts  # which of them each photo counts in, (N,)
    people: Counts  # person of each photo, (N,)
    classes: int
    confidence: float

    @classmethod
    def of(cls, cell: Counts, people: Counts, classes: int, confidence: float) -> _Scorer:
        """Find the cells that have photos."""
        used, photo = np.unique(cell, return_inverse=True)
        return cls(used, photo, people, classes, confidence)

    @property
    def several(self) -> int:
        """How many people there are."""
        return int(self.people.max()) + 1

    @cached_property
    def kinds(self) -> Kinds:
        """The people by their photos."""
        return kinds_of_people(self.photo, self.people)

    def table(
        self,
        name: str,
        names: Sequence[str],
        confusion: Counts,
        level: Counts,
        shape: tuple[int, ...],
        *,
        is_limited: bool,
    ) -> FactorScore:
        """Score a factor, or all together, whose level of each class is given, (C,).

        `shape` is of the factors that it is made of. The macro-F1 of one that is limited has no interval.
        """
        truth, answer = level[self.cell // self.classes], level[self.cell % self.classes]
        is_right: NDArray[np.bool_] = truth == answer
        measures = metrics.per_class(confusion)
        macro_f1, accuracy = float(metrics.macro_f1(confusion)), float(metrics.accuracy(confusion))
        each: Sequence[Ends | None] = [None] * len(names)
        whole = right = None
        if self.several > 1:  # one person is no sample of people
            tally = Tally.of_classes(self.kinds, truth, [answer], classes=len(names))
            found = class_intervals(tally, shape, confidence=self.confidence)
            each, whole = found.f1, None if is_limited else found.macro_f1
            right = share_interval(Tally.of_right(self.kinds, [is_right]), confidence=self.confidence)
        precision = map(metrics.defined, measures.precision)
        recall = map(metrics.defined, measures.recall)
        persons = _people_per(truth[self.photo], self.people, groups=len(names))
        f1 = map(around, measures.f1.tolist(), each)
        columns = zip(names, measures.support.tolist(), persons.tolist(), precision, recall, f1, strict=True)
        scores = tuple(ClassScore(*one) for one in columns)
        return FactorScore(name, around(macro_f1, whole), around(accuracy, right), scores, _matrix(confusion))


def _missing_levels(support: Counts, space: LabelSpace) -> dict[str, list[str]]:
    """Return the levels of each factor that no photo has, given the photos of each class, (C,)."""
    there = support.reshape(space.shape) > 0
    missing = {}
    for axis, factor in enumerate(space.factors):
        has = np.atleast_1d(np.moveaxis(there, axis, 0).reshape(len(factor.levels), -1).any(axis=1)).tolist()
        lacking = [level for level, is_there in zip(factor.levels, has, strict=True) if not is_there]
        if lacking:
            missing[factor.name] = [f"{factor.name}={level}" for level in lacking]
    return missing


def _limit(level: str, people: int) -> str:
    return (
        f"too few people to say how far macro-F1 may be off: nobody here is {level}, and of {people} people "
        "that says little (while fewer than "
        f"{MANY_PEOPLE} are known, such a level may be more than 3 in 100 of all)"
    )


def fold_scores(cell: Counts, people: Counts, fold: Integers, *, classes: int) -> FoldScores:
    """Score each held-out fold by itself; rows in a negative one, (N,), not all, are in no fold's score.

    Cells are as from `metrics.cells`, (N,), and people as from `kinds.number_people`, (N,).
    """
    held_out = fold >= 0
    numbers, position = np.unique(fold[held_out], return_inverse=True)
    shape = (len(numbers), classes, classes)
    index = position * classes**2 + cell[held_out]
    confusions = np.bincount(index, minlength=len(numbers) * classes**2).reshape(shape)
    macro_f1, accuracy = metrics.macro_f1(confusions), metrics.accuracy(confusions)  # (folds,)
    persons = _people_per(position, people[held_out], groups=len(numbers))
    rows = confusions.sum(axis=(1, 2))
    columns = (column.tolist() for column in (numbers, rows, persons, macro_f1, accuracy))
    each = tuple(FoldScore(*one) for one in zip(*columns, strict=True))
    return FoldScores(each, spread(macro_f1), spread(accuracy))


def spread(values: Floats) -> FoldSpread:
    """Return the mean of the folds' scores, (folds,), and their sample standard deviation."""
    return FoldSpread(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None)


def _people_per(group: Integers, people: Counts, *, groups: int) -> Counts:
    """Count the different people in each group, (groups,)."""
    pairs = np.sort(group.astype(np.int64) * (people.max() + 1) + people)
    different = pairs[np.diff(pairs, prepend=-1) > 0]  # np.unique hashes, ten times slower here
    return np.bincount(different // (people.max() + 1), minlength=groups)


def _matrix(counts: Counts) -> Matrix:
    return tuple(tuple(row) for row in counts.tolist())
