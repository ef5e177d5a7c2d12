"""What each epoch brought, as one value for the terminal, the history file and the checkpoint."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import accuracy, confusion, factor_confusion, log_loss, macro_f1


@dataclass(frozen=True)
class Epoch:
    """One epoch of one fold."""

    epoch: int  # counted from 1
    train_loss: float  # mean of the criterion over the epoch's (augmented) training photos
    # Mean cross entropy against the truth over all held-out photos, no smoothing; None if nobody is held out.
    held_out_loss: float | None
    # Exact `macro_f1` and `accuracy` over all held-out photos, and `<factor>_accuracy`, `<factor>_macro_f1`;
    # empty if nobody is held out.
    scores: Mapping[str, float]
    learning_rate: float  # the backbone's, at the end of the epoch
    images_per_second: float  # of training photos only
    seconds: float  # of training and scoring
    is_best: bool  # whether its macro-F1 is the highest so far; never so if nobody is held out
    parts: Mapping[str, float] = field(default_factory=dict)  # of the training loss, where it has several
    confident_share: float | None = None  # of unlabelled photos, sure enough to learn from; None without any

    def to_row(self) -> dict[str, Any]:
        """Return a flat row for the history file."""
        unlabeled = {} if self.confident_share is None else {"confident_share": self.confident_share}
        scored = self.held_out_loss is not None
        return {
            "epoch": self.epoch,
            "train_loss": self.train_loss,
            **{f"train_{name}": value for name, value in self.parts.items()},
            **unlabeled,
            **({"held_out_loss": self.held_out_loss} if scored else {}),
            **{f"held_out_{name}": value for name, value in self.scores.items()},
            "learning_rate": self.learning_rate,
            "images_per_second": self.images_per_second,
            "seconds": self.seconds,
            **({"is_best": int(self.is_best)} if scored else {}),
        }


def held_out_scores(
    label: NDArray[np.int64], probs: NDArray[np.float32], space: LabelSpace
) -> tuple[float, dict[str, float]]:
    """Return the mean cross entropy and the exact scores of a whole fold's probabilities, (rows, classes)."""
    joint = confusion(label, probs.argmax(1), classes=len(space))
    scores = {"macro_f1": float(macro_f1(joint)), "accuracy": float(accuracy(joint))}
    for index, factor in enumerate(space.factors):
        alone = factor_confusion(joint, space, index)
        scores[f"{factor.name}_accuracy"] = float(accuracy(alone))
        scores[f"{factor.name}_macro_f1"] = float(macro_f1(alone))
    return log_loss(label, probs), scores


def to_csv(epochs: Sequence[Epoch]) -> bytes:
    """Return the history file: one row per epoch."""
    text = io.StringIO()
    rows = [epoch.to_row() for epoch in epochs]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
