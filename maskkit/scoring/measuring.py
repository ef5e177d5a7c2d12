"""Score answers against the truth: every measure, each with its interval over people."""

from collections.abc import Iterator, Sequence

import numpy as np

from maskkit.errors import MaskkitError
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
    """Score answers against the truth, with intervals from a bootstrap over people.

    Args:
        truth: Class of each photo, (N,).
        answer: Class that was answered, (N,).
        space: The label space both are in.
        person: A code per person, negative where unknown, (N,). Without it every photo counts as
            a person of its own, which makes intervals too narrow if people have several photos.
        fold: The fold each photo was held out in, (N,); negative rows are in no fold's score.
        draws: How people are drawn anew.

    Returns:
        The scores. Intervals are undefined when there is only one person to draw.

    Raises:
        MaskkitError: If there is nothing to score, the arrays differ in length, or a class is
            not in the label space.
    """
    _check(truth, person=person, fold=fold)
    classes = len(space)
    cell = metrics.cells(truth, answer, classes=classes)  # (N,)
    people = number_people(person, rows=len(truth))  # (N,)
    joint = metrics.confusion(truth, answer, classes=classes)
    estimates = iter(
        draws.estimates(
            cell,
            people,
            cells=classes**2,
            measure=lambda counts: _measures(counts.reshape(-1, classes, classes), space),
        )
    )
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


def _check(truth: Integers, *, person: Integers | None, fold: Integers | None) -> None:
    if truth.size == 0:
        raise MaskkitError(
            "there is nothing to score",
            why="no row has both a truth and an answer",
            fix="check that manifest and predictions name the same paths, and that `label` is known",
        )
    for name, values in (("person", person), ("fold", fold)):
        if values is not None and values.shape != truth.shape:
            raise MaskkitError(
                f"{name} has shape {values.shape}, truth has {truth.shape}",
                why="each row has one of each",
                fix="join the tables on `path` first",
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
    return tuple(
        ClassScore(
            name=name,
            rows=int(measures.support[index]),
            people=int(persons[index]),
            precision=metrics.defined(measures.precision[index]),
            recall=metrics.defined(measures.recall[index]),
            f1=next(estimates),
        )
        for index, name in enumerate(names)
    )


def fold_scores(cell: Counts, people: Counts, fold: Integers, *, classes: int) -> FoldScores:
    """Score each held-out fold by itself.

    Args:
        cell: Cell of each row, (N,), as `metrics.cells` returns it.
        people: Person of each row, (N,), as `bootstrap.number_people` returns it.
        fold: The fold each row was held out in, (N,); negative rows are in no fold's score.
        classes: Number of classes.

    Raises:
        MaskkitError: No row was held out.
    """
    held_out = fold >= 0
    numbers, position = np.unique(fold[held_out], return_inverse=True)
    if not numbers.size:
        raise MaskkitError(
            "no row was held out in a fold",
            why="every fold is negative, which means trained on and never held out",
            fix="score without folds, or use the manifest that `maskkit split` made",
        )
    shape = (len(numbers), classes, classes)
    index = position * classes**2 + cell[held_out]
    confusions = np.bincount(index, minlength=len(numbers) * classes**2).reshape(shape)
    macro_f1, accuracy = metrics.macro_f1(confusions), metrics.accuracy(confusions)  # (folds,)
    persons = _people_per(position, people[held_out], groups=len(numbers))
    rows = confusions.sum(axis=(1, 2))
    each = (
        FoldScore(int(numbers[i]), int(rows[i]), int(persons[i]), float(macro_f1[i]), float(accuracy[i]))
        for i in range(len(numbers))
    )
    return FoldScores(tuple(each), spread(macro_f1), spread(accuracy))


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
