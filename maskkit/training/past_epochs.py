"""The epochs that a training has behind it, and the one of them whose weights are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.options.techniques import Stopping
from maskkit.scoring.best_of import BestOf, best_of
from maskkit.training.epochs import Epoch
from maskkit.training.fold import Fold
from maskkit.typed_json import Refuse, fitting


class PastEpochs:
    """What is remembered of epochs of a fold; it grows by `add`.

    The training ends with the epoch `last`, unless so many epochs are no better that the schedule stops.
    Where nobody is held out no epoch is better than another, and the last one's weights are kept.
    """

    def __init__(self, fold: Fold, stopping: Stopping, *, last: int) -> None:
        self.fold, self.stop, self.last = fold, stopping.stop, last
        self.keeps_best = len(fold.held_out) > 0 and stopping.keeps_best
        self.history: list[Epoch] = []
        self.weights: dict[str, Tensor] = {}  # of the epoch that is kept
        self.probs = np.empty((0, len(fold.space)), np.float32)  # of that epoch, (held_out, classes)
        self.answers: list[Tensor] = []  # of each epoch, (held_out,), where the best of them is kept

    def __len__(self) -> int:
        return len(self.history)

    def add(self, epoch: Epoch, probs: NDArray[np.float32], model: nn.Module) -> None:
        """Remember an epoch, which has predicted these of the people held out, and its weights if they count.

        Probabilities are (held_out, classes).
        """
        if self.keeps_best:
            self.answers.append(torch.from_numpy(probs.argmax(axis=1)))
        if epoch.is_best or not self.keeps_best:
            self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
            self.probs = probs
        self.history.append(epoch)

    @property
    def highest(self) -> float:
        """The highest macro-F1 so far; -1 if there is none."""
        return max((epoch.scores["macro_f1"] for epoch in self.history if epoch.scores), default=-1.0)

    @property
    def best(self) -> Epoch:
        """The first epoch of those with the highest macro-F1; the last if nobody is held out."""
        return next((epoch for epoch in reversed(self.history) if epoch.is_best), self.history[-1])

    @property
    def kept(self) -> Epoch:
        """The epoch whose weights are kept: the best if that is wanted, and else the last."""
        return self.best if self.keeps_best else self.history[-1]

    @property
    def worth(self) -> BestOf | None:
        """What the epoch that is kept is worth on other people; None if it was not chosen among several."""
        if len(self.answers) < 2:
            return None
        fold, answers = self.fold, [one.numpy() for one in self.answers]
        return best_of(fold.truth, answers, space=fold.space, person=fold.people[fold.held_out])

    @property
    def is_complete(self) -> bool:
        """Whether there are no more to come: all ran, or so many were no better that it stops."""
        if len(self) >= self.last:
            return True
        return 0 < self.stop <= len(self) - (self.best.epoch if self.history else 0)

    def state(self) -> dict[str, Any]:
        """Return all of it, as plain values and tensors."""
        return {
            "history": [asdict(epoch) for epoch in self.history],
            "kept": self.weights,
            "kept_probs": torch.from_numpy(self.probs),
            "answers": self.answers,
        }

    def load_state(self, state: Mapping[str, Any], model: nn.Module, refuse: Refuse) -> None:
        """Continue from what `state` returned; raise a MaskkitError of anything else, by `refuse`."""
        history = fitting(state.get("history"), list[Epoch], refuse, at="history")
        weights: Any = state.get("kept")
        answers: Any = state.get("answers")
        probs = state.get("kept_probs")
        photos, classes = len(self.fold.held_out) if history else 0, len(self.fold.space)
        is_kept = _are_alike(weights, model) if history else weights == {}
        if not isinstance(probs, Tensor) or probs.shape != (photos, classes) or not is_kept:
            raise refuse("the epoch it keeps is not of this model and these photos")
        epochs = len(history) * self.keeps_best
        if not _are_answers(answers, epochs=epochs, photos=photos, classes=classes):
            raise refuse("the answers of its epochs are not of these photos")
        self.history, self.weights, self.answers = history, weights, [*answers]
        self.probs = probs.numpy()


def _are_alike(weights: Any, model: nn.Module) -> bool:
    """Whether this is a state dict of the model, by names and shapes."""
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    is_state = isinstance(weights, dict) and all(isinstance(one, Tensor) for one in weights.values())
    return is_state and {name: tensor.shape for name, tensor in weights.items()} == expected


def _are_answers(answers: Any, *, epochs: int, photos: int, classes: int) -> bool:
    """Whether these are the answers of so many epochs to so many photos, by class, (photos,) each."""
    each = answers if isinstance(answers, list) else [None]
    return len(each) == epochs and all(
        isinstance(one, Tensor)
        and one.dtype == torch.int64
        and one.shape == (photos,)
        and bool(((one >= 0) & (one < classes)).all())
        for one in each
    )
