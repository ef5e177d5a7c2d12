"""Exact measures of a classifier, all derived from one confusion matrix.

Everything here accepts leading dimensions, (..., C, C), so that all folds,
or many draws of people, are measured in one call. Where a ratio is 0/0 it is undefined and reads NaN: it is
neither a success nor a failure. scikit-learn says the same with `zero_division=np.nan`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import SMALLEST
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace

MACRO_F1, ACCURACY = "macro_f1", "accuracy"

Integers = NDArray[np.integer[Any]]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Probabilities = NDArray[np.floating[Any]]  # (N, C), rows sum to 1


@dataclass(frozen=True)
class ClassMeasures:
    """Measures of each class, each (..., C)."""

    precision: Floats  # share of the answers of a class that are right; NaN if it was never answered
    recall: Floats  # share of the photos of a class that were found; NaN if it has none
    f1: Floats  # their harmonic mean; NaN if the class is in neither truth nor answers
    support: Counts  # photos whose truth is the class


def cells(truth: Integers, answer: Integers, *, classes: int) -> Counts:
    """Return the cell of the flattened confusion matrix that each row counts in, (N,).

    Raises:
        MaskkitError: If the two, (N,) each, differ in length, or hold anything but class indices.
    """
    if truth.shape != answer.shape or truth.ndim != 1:
        raise MaskkitError(
            f"cannot compare truth of shape {truth.shape} with answers of shape {answer.shape}",
            why="each row has one truth and one answer",
            fix="join the two on `path` first",
        )
    for name, values in (("truth", truth), ("answer", answer)):
        _check_classes(values, name=name, classes=classes)
    return truth.astype(np.int64) * classes + answer  # int16 as stored would overflow


def _check_classes(values: Integers, *, name: str, classes: int) -> None:
    """Refuse anything but class indices 0 to `classes - 1`."""
    if not np.issubdtype(values.dtype, np.integer):
        raise MaskkitError(
            f"{name} holds {values.dtype} values",
            why=f"classes are whole numbers from 0 to {classes - 1}",
            fix="leave out the rows without a class, and store the rest as integers",
        )
    if values.size and (values.min() < 0 or values.max() >= classes):
        wrong = values[(values < 0) | (values >= classes)][0]
        raise MaskkitError(
            f"{name} holds class {wrong}",
            why=f"the label space has the classes 0 to {classes - 1}",
            fix="use the label space that the table was made with",
        )


def confusion(truth: Integers, answer: Integers, *, classes: int) -> Counts:
    """Count the photos of each class (rows) that were taken for each class (columns), (C, C); see `cells`."""
    counts = np.bincount(cells(truth, answer, classes=classes), minlength=classes**2)
    return counts.astype(np.int64, copy=False).reshape(classes, classes)


def factor_confusion(confusion: Counts, space: LabelSpace, factor: int) -> Counts:
    """Reduce joint counts, (..., C, C), to one factor's, (..., L, L), by summing over the others."""
    apart = confusion.reshape(*confusion.shape[:-2], *space.shape, *space.shape)
    answers = [axis - len(space.shape) for axis in range(len(space.shape)) if axis != factor]
    truths = [axis - len(space.shape) for axis in answers]
    return np.asarray(apart.sum(axis=(*truths, *answers)), dtype=np.int64)


def factor_probs(probs: Probabilities, space: LabelSpace, factor: int) -> Floats:
    """Return probabilities of one factor's levels, (N, L), by summing those of classes over the others."""
    others = tuple(axis + 1 for axis in range(len(space.shape)) if axis != factor)
    return np.asarray(probs.reshape(len(probs), *space.shape).sum(axis=others, dtype=np.float64))


def per_class(confusion: Counts) -> ClassMeasures:
    """Return precision, recall, F1 and support of each class from counts (..., C, C)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)  # (..., C)
    support, answered = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return ClassMeasures(
        precision=ratio_of(hits, answered),
        recall=ratio_of(hits, support),
        f1=ratio_of(2 * hits, support + answered),
        support=support,
    )


def macro_f1(confusion: Counts) -> Floats:
    """Return the mean F1 over the classes that occur in truth or answers, (...) from (..., C, C).

    This is scikit-learn's `f1_score(truth, answer, average="macro")`, which also leaves out a class
    that nobody has and nobody answered. NaN for a matrix without counts.
    """
    f1 = per_class(confusion).f1  # (..., C)
    occurs = ~np.isnan(f1)
    return ratio_of(f1.sum(axis=-1, where=occurs), occurs.sum(axis=-1))


def accuracy(confusion: Counts) -> Floats:
    """Return the share of right answers, (...) from (..., C, C); NaN without counts."""
    return ratio_of(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def overall_names(space: LabelSpace) -> list[str]:
    """Name what `overall` measures: macro-F1, accuracy, and the accuracy of each of several factors."""
    factors = [f"{factor.name}_accuracy" for factor in space.factors] if len(space.factors) > 1 else []
    return [MACRO_F1, ACCURACY, *factors]


def overall(confusion: Counts, space: LabelSpace, macro_f1: Callable[[Counts], Floats] = macro_f1) -> Floats:
    """Return what `overall_names` names, (..., M), from counts (..., C, C)."""
    factors = range(len(space.factors)) if len(space.factors) > 1 else ()
    of_factors = (accuracy(factor_confusion(confusion, space, factor)) for factor in factors)
    return np.stack([macro_f1(confusion), accuracy(confusion), *of_factors], axis=-1)


def overall_right(truth: Integers, answer: Integers, space: LabelSpace) -> list[NDArray[np.bool_]]:
    """Return which answers are right, wholly and in each of several factors, (N,) each."""
    right = [truth == answer]
    if len(space.factors) > 1:
        levels = zip(np.unravel_index(truth, space.shape), np.unravel_index(answer, space.shape), strict=True)
        right += [one == other for one, other in levels]
    return right


def cross_entropies(truth: Integers, probs: Probabilities) -> Floats:
    """Return the cross entropy of each photo, in nats, (N,), with its probabilities scaled to sum to 1.

    They are taken to lie between `SMALLEST` and 1 less that, as scikit-learn takes those of float32.
    """
    own = probs[np.arange(len(truth)), truth] / probs.sum(axis=1, dtype=np.float64)
    return np.asarray(-np.log(own.clip(SMALLEST, 1 - SMALLEST)))


def log_loss(truth: Integers, probs: Probabilities) -> float:
    """Return the mean of `cross_entropies`."""
    return float(cross_entropies(truth, probs).mean())


def defined(value: float) -> float | None:
    """Return a plain number; None for NaN."""
    return None if np.isnan(value) else float(value)


def ratio_of(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Divide element by element; NaN where the whole is 0."""
    ratio: Floats = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=np.asarray(whole) > 0)
    return ratio


def check_pairs(truth: Integers, probs: Probabilities) -> None:
    """Raise MaskkitError if probabilities and truths do not belong together, or there is no photo."""
    if probs.ndim != 2 or truth.shape != probs.shape[:1] or not truth.size:
        raise MaskkitError(
            f"cannot compare truth of shape {truth.shape} with probabilities of shape {probs.shape}",
            why="each photo has one truth and a probability per class, and there is one photo at least",
            fix="join the two on `path` first",
        )
    _check_classes(truth, name="truth", classes=probs.shape[1])
