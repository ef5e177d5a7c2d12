"""What one fold trains on and is scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.dataset import Augment, Inputs
from maskkit.labels import LabelSpace


@dataclass(frozen=True)
class Fold:
    """What a model learns from and is judged by, and which rows of it are for what.

    Args:
        space: The classes.
        inputs: Every photo, (rows,), as the model will see it, or its features.
        target: The class to train on, (rows,).
        weight: Training weight, (rows,).
        label: The truth, (rows,); used for scoring only.
        training: Indices of the rows trained on.
        held_out: Indices of the rows scored on.
        vary: How the rows trained on are varied; None to show them as they are.
    """

    space: LabelSpace
    inputs: Inputs
    target: NDArray[np.int64]
    weight: NDArray[np.float32]
    label: NDArray[np.int64]
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]
    vary: Augment | None = None

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """Photos of each class among the rows trained on, (classes,); those held out are not to be known."""
        return np.bincount(self.target[self.training], minlength=len(self.space)).astype(np.int64)
