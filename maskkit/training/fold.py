"""What one fold trains on and is scored on."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.dataset import Augment, Inputs
from maskkit.labels import LabelSpace
from maskkit.options.values import LevelValue
from maskkit.training.unlabeled import Unlabeled


@dataclass(frozen=True)
class Fold:
    """What a model learns from and is judged by, and which rows of it are for what.

    Args:
        space: The classes.
        inputs: Every photo, (rows,), as the model will see it, or its features.
        target: The class to train on, (rows,); -1 where there is none.
        numbers: What numeric factors are cut from, (rows, factors), such as years; NaN where unknown.
        people: The person of each row, (rows,); -1 where nobody is named.
        weight: Training weight, (rows,).
        label: The truth, (rows,); used for scoring only.
        training: Indices of the rows trained on.
        held_out: Indices of the rows scored on.
        soft: Class probabilities to train towards in place of the class, (rows, classes), NaN in rows that
            have none; None if no row has.
        vary: How the rows trained on are varied; None to show them as they are.
        unlabeled: Other photos that are learnt from without labels, if there are any.
    """

    space: LabelSpace
    inputs: Inputs
    target: NDArray[np.int64]
    numbers: NDArray[np.float32]
    people: NDArray[np.int64]
    weight: NDArray[np.float32]
    label: NDArray[np.int64]
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    soft: NDArray[np.float32] | None = None
    vary: Augment | None = None
    unlabeled: Unlabeled | None = None

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """Photos of each class among the rows trained on, (classes,); those held out are not to be known."""
        return np.bincount(self.target[self.training], minlength=len(self.space)).astype(np.int64)

    def has_level(self, level: LevelValue) -> NDArray[np.bool_]:
        """Return which rows are trained as a level of a factor, (rows,).

        Raises:
            MaskkitError: The label space has no such factor or level.
        """
        factor, place = self.space.place_of(level.factor, level.level)
        shape = self.space.shape
        levels = self.target // prod(shape[factor + 1 :]) % shape[factor]
        return np.asarray((self.target >= 0) & (levels == place), np.bool_)
