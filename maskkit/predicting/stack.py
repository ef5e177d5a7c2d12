"""The second level of a stacking ensemble: a logistic regression over the members' log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.predicting.averaging import to_average
from maskkit.scoring.metrics import Floats, Probabilities

_BLOCK = 16_384  # photos at a time


@dataclass(frozen=True)
class Stack:
    """A fitted second level.

    Args:
        model: A LogisticRegression of scikit-learn, over the members' log-probabilities side by side.
        classes: Number of classes C; those that no photo was of have probability 0.
        inverse_strength: Of the regularisation, `C` of scikit-learn.
    """

    model: Any
    classes: int
    inverse_strength: float

    def probabilities(self, probs: Sequence[Probabilities]) -> NDArray[np.float32]:
        """Return class probabilities, (N, C), from those of each member, (N, C) each."""
        found = np.zeros((len(probs[0]), self.classes), np.float32)
        for start in range(0, len(found), _BLOCK):
            block = slice(start, start + _BLOCK)
            found[block, self.model.classes_] = self.model.predict_proba(
                features_of([part[block] for part in probs])
            )
        return found


def features_of(probs: Sequence[Probabilities]) -> Floats:
    """Return the members' log-probabilities side by side, each member's less its mean, (N, members * C).

    What all classes of a photo share a softmax takes out again; the fit takes a seventh of the time without.
    """
    logs = [to_average(part, "geometric") for part in probs]
    return np.concatenate([part - part.mean(axis=1, keepdims=True) for part in logs], axis=1)
