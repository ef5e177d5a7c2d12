"""Which predictions are sure enough to be trained on as labels, and how much each counts.

Pseudo-labels, from Lee 2013 (ICML workshop on challenges in representation learning); the most confident
share of each class, from class-balanced self-training, Zou et al. 2018, https://arxiv.org/abs/1810.07911.
That classes be as frequent as among the labels is the aim of distribution alignment, Berthelot et al. 2020,
https://arxiv.org/abs/1911.09785.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Bools, Ints
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.options.train_options import Balance
from maskkit.options.values import parse_thresholds

THRESHOLD = 0.9

Floats = NDArray[np.float32]


def thresholds(rules: Sequence[tuple[str, float]], space: LabelSpace) -> Floats:
    """Return the least confidence of each class, (classes,).

    A rule is a number for a class, a level (`age=60plus`) or, by an empty name, for all. A later rule wins
    over an earlier one; what no rule names has 0.9.

    Raises:
        MaskkitError: There is no such class or level.
    """
    least = np.full(space.shape, THRESHOLD, np.float32)
    for name, number in rules:
        factor, is_level, level = name.partition("=")
        if is_level:
            place, index = space.place_of(factor, level)
            np.moveaxis(least, place, 0)[index] = number
        elif name:
            if name not in space.names:
                raise MaskkitError(
                    f"there is no class {name!r}",
                    why=f"the classes are {examples(space.names, most=len(space))}",
                    fix="use one of them, or a level such as age=60plus",
                )
            least[np.unravel_index(space.names.index(name), space.shape)] = number
        else:
            least[:] = number
    return least.ravel()


@dataclass(frozen=True)
class Selection:
    """Which predictions are trained on as labels: those that are sure, or the surest share."""

    threshold: str = f"{THRESHOLD:g}"  # least confidence, for all, by level or by class: `0.9,age=60plus:0.6`
    share: float | None = None  # instead, the share of the photos to take, the most confident first
    balance: Balance = "labels"  # with `share`, as in `most_confident`

    def options(self) -> dict[str, object]:
        """Return what is recorded of it."""
        if self.share is None:
            return {"threshold": self.threshold, "share": None, "balance": None}
        return {"threshold": None, "share": self.share, "balance": self.balance}

    def of(self, confidence: Floats, answer: Ints, *, space: LabelSpace, labels: Ints) -> Bools:
        """Return which answers, classes with a confidence each, are chosen, (rows,).

        The labels are the photos per class among those trained on, (classes,).

        Raises:
            MaskkitError: There is no such class or level, or nothing is chosen.
        """
        if self.share is None:
            least = thresholds(parse_thresholds(self.threshold), space)
            is_chosen = np.asarray(confidence >= least[answer], np.bool_)
        else:
            is_chosen = most_confident(
                confidence, answer, share=self.share, balance=self.balance, labels=labels
            )
        if is_chosen.any():
            return is_chosen
        if self.share is None:
            raise MaskkitError(
                "no photo is confident enough",
                why=f"the most confident of {len(confidence)} photos has {confidence.max():.7g}",
                fix="use a lower --threshold, or --share",
            )
        raise MaskkitError(
            f"--share {self.share:g} of {len(confidence)} photos is none",
            why="the share is rounded to whole photos of each class, and no class answered has a part in it",
            fix="use a larger --share, or --balance none",
        )


SURE = Selection()


def most_confident(
    confidence: Floats, answer: Ints, *, share: float, balance: Balance, labels: Ints
) -> Bools:
    """Return which answers are among the most confident share, (rows,); ties go to the earlier row.

    Args:
        confidence: Of each answer, (rows,).
        answer: The class of each, (rows,).
        share: Of all rows, above 0 and up to 1.
        balance: `labels`: classes in the shares that they have among the labels, and fewer of a class that
            is answered too seldom; `predictions`: the same share of each class answered; `none`: the most
            confident whatever their class, which favours the easy and frequent classes.
        labels: Photos per class among those trained on, (classes,).
    """
    wanted = round(share * len(answer))
    order = np.argsort(-confidence, kind="stable")
    if balance == "none":
        chosen = np.zeros(len(answer), np.bool_)
        chosen[order[:wanted]] = True
        return chosen
    counts = np.bincount(answer, minlength=len(labels))
    quota = apportioned(wanted, labels if balance == "labels" else counts)
    by_class = order[np.argsort(answer[order], kind="stable")]
    first = np.cumsum(counts) - counts
    rank = np.empty(len(answer), np.int64)
    rank[by_class] = np.arange(len(answer)) - first[answer[by_class]]
    return np.asarray(rank < quota[answer], np.bool_)


def apportioned(total: int, shares: Ints) -> Ints:
    """Divide a whole number in these shares by largest remainders (Hamilton), ties to the first."""
    if not shares.sum():
        return np.zeros(len(shares), np.int64)
    exact = total * shares / shares.sum()
    parts = np.floor(exact).astype(np.int64)
    largest = np.argsort(parts - exact, kind="stable")
    parts[largest[: total - int(parts.sum())]] += 1
    return np.asarray(parts, np.int64)


def weights(confidence: Floats, rule: tuple[bool, float]) -> Floats:
    """Return the training weight of each row, (rows,): a number, or that number times the confidence."""
    by_confidence, number = rule
    return np.asarray(number * (confidence if by_confidence else np.ones_like(confidence)), np.float32)


@dataclass(frozen=True)
class ClassTally:
    """What came of the photos that models answer with one class."""

    name: str  # of the class
    labelled: int  # photos trained on with a label of their own
    photos: int  # those answered with the class
    chosen: int  # those of them that were added
    least: float | None  # the least confidence among the added; None if there are none
    mean: float | None  # their mean confidence
    weight: float  # the sum of their weights


def tally(name: str, labelled: int, confidence: Floats, is_chosen: Bools, weight: Floats) -> ClassTally:
    """Count what came of the photos that are answered with one class, each array (photos,)."""
    added = confidence[is_chosen]
    least, mean = (float(added.min()), float(added.mean(dtype=np.float64))) if len(added) else (None, None)
    total = float(weight[is_chosen].sum(dtype=np.float64))
    return ClassTally(name, labelled, len(confidence), len(added), least, mean, total)


def answers(probs: Floats, *, name: str) -> tuple[Ints, Floats]:
    """Return each row's most probable class and its probability, (rows,) each.

    Raises:
        MaskkitError: There are no rows.
    """
    if not len(probs):
        raise MaskkitError(
            f"{name} predicts no photo that could be given a label",
            why="all are missing, labelled already, or show people whom a fold holds out",
            fix="predict photos without labels, of other people",
        )
    answer = probs.argmax(axis=1)
    return answer, probs[np.arange(len(probs)), answer]
