"""Photos to look at behind the numbers of an evaluation: some of each cell of the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.scoring.judged import Judged
from maskkit.scoring.metrics import Integers, cells, cross_entropies
from maskkit.scoring.slice_columns import Cut

MOST_RIGHT = 6  # photos of a class that are predicted rightly


@dataclass(frozen=True)
class ShownPhoto:
    """One photo, and where it is counted."""

    path: str  # of the photo
    person: str | None  # who is on it; None if nobody is named
    fold: int | None  # the fold it was held out in; None if it was in none
    truth: tuple[str, ...]  # level of each factor
    answer: tuple[str, ...]  # the same of its prediction
    confidence: float | None  # probability of the prediction; None without probabilities
    truth_probability: float | None  # probability of the truth
    slices: Mapping[str, str]  # the name of the slice it is in, by what slices are cut by

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the truth."""
        return self.truth == self.answer


def shown_photos(judged: Judged, slices: Mapping[str, Cut], *, most: int) -> tuple[ShownPhoto, ...]:
    """Return at most so many photos, ordered by cell, mistakes first, and in each cell the worst first.

    Every cell that is not empty gives one before any gives a second, and so on; of right predictions, few of
    each class are enough, those that the model was least sure of.
    """
    if not most:
        return ()
    space, probs = judged.space, judged.probs
    loss = np.zeros(len(judged.rows)) if probs is None else cross_entropies(judged.truth, probs)
    chosen = judged.take(places := _chosen(judged.truth, judged.answer, loss, len(space), most))
    folds = np.full(len(places), -1) if judged.fold is None else judged.fold[places]
    found = []
    for at, (path, person) in enumerate(chosen.columns("path", "person_id")):
        truth, answer = int(chosen.truth[at]), int(chosen.answer[at])
        own = None if probs is None else probs[places[at]]
        found.append(
            ShownPhoto(
                path, person, None if folds[at] < 0 else int(folds[at]),
                tuple(space.levels_of(truth)), tuple(space.levels_of(answer)),
                None if own is None else float(own[answer]), None if own is None else float(own[truth]),
                {by: into.names[into.code[places[at]]] for by, into in slices.items()},
            )
        )  # fmt: skip
    return tuple(found)


def _chosen(
    truth: Integers, answer: Integers, loss: NDArray[np.floating], classes: int, most: int
) -> NDArray[np.int64]:
    """Return the places of the photos that are shown, given truth, prediction and loss of each, (N,)."""
    cell, is_right = cells(truth, answer, classes=classes), truth == answer
    order = np.lexsort((-loss, cell, is_right))
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    is_wanted = ~is_right[order] | (rank < MOST_RIGHT)
    first = np.argsort(rank[is_wanted], kind="stable")[:most]
    return np.asarray(order[is_wanted][np.sort(first)], np.int64)
