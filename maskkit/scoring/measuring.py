"""Score answers against the truth: every measure, each with its interval over people."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.bootstrap import DRAWS, Bootstrap, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers
from maskkit.scoring.results import (
    ClassScore,
    Estimate,
    FactorScore,
    FoldScore,
    FoldScores,
    FoldSpread,
    Matrix,
    Scores,
)


def score(
    truth: Integers,
    answer: Integers,
    *,
    space: LabelSpace,
    person: Integers | None = None,
    fold: Integers | None = None,
    draws: Bootstrap = DRAWS,
) -> Scores:
    """Score answers against the truth, (N,) each, with intervals from a bootstrap over people.

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

    def measure(counts: Counts) -> Floats:
        return _measures(counts.reshape(-1, classes, classes), space)

    estimates = iter(draws.estimates(cell, people, cells=classes**2, measure=measure))
    macro_f1, accuracy = next(estimates), next(estimates)
    each = _class_scores(space.names, joint, truth, people, estimates)
    return Scores(
        rows=len(truth),
        people=int(people.max()) + 1,
        rows_without_person=len(truth) if person is None else int((person < 0).sum()),
        macro_f1=macro_f1,
        accuracy=accuracy,
        classes=each,
        factors=tuple(_factor_scores(space, joint, truth, people, estimates)),
        confusion=_matrix(joint),
        folds=None if fold is None else fold_scores(cell, people, fold, classes=classes),
        confidence=draws.confidence,
        replicates=draws.replicates,
        seed=draws.seed,
    )


def _measures(confusion: Counts, space: LabelSpace) -> Floats:
    """Return macro-F1, accuracy and each class's F1, jointly and then per factor, (..., M)."""
    tables = [confusion]
    tables += [metrics.factor_confusion(confusion, space, factor) for factor in range(len(space.factors))]
    measured = []
    for table in tables:
        whole = np.stack([metrics.macro_f1(table), metrics.accuracy(table)], axis=-1)  # (..., 2)
        measured += [whole, metrics.per_class(table).f1]
    return np.concatenate(measured, axis=-1)


def _factor_scores(
    space: LabelSpace, joint: Counts, truth: Integers, people: Counts, estimates: Iterator[Estimate]
) -> Iterator[FactorScore]:
    levels = np.unravel_index(truth, space.shape)  # one (N,) per factor
    for position, factor in enumerate(space.factors):
        confusion = metrics.factor_confusion(joint, space, position)
        macro_f1, accuracy = next(estimates), next(estimates)
        scores = _class_scores(factor.levels, confusion, levels[position], people, estimates)
        yield FactorScore(factor.name, macro_f1, accuracy, scores, _matrix(confusion))


def _class_scores(
    names: Sequence[str],
    confusion: Counts,
    truth: Integers,
    people: Counts,
    estimates: Iterator[Estimate],
) -> tuple[ClassScore, ...]:
    measures = metrics.per_class(confusion)
    persons = _people_per(truth, people, groups=len(names))
    precision, recall = (map(metrics.defined, each) for each in (measures.precision, measures.recall))
    rows, several = measures.support.tolist(), persons.tolist()
    f1 = islice(estimates, len(names))
    each = zip(names, rows, several, precision, recall, f1, strict=True)
    return tuple(ClassScore(*one) for one in each)


def fold_scores(cell: Counts, people: Counts, fold: Integers, *, classes: int) -> FoldScores:
    """Score each held-out fold by itself; rows in a negative one, (N,), not all, are in no fold's score.

    Cells are as from `metrics.cells`, (N,), and people as from `bootstrap.number_people`, (N,).
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
