"""Made-up members of an ensemble, for the tests of what blends them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskkit.scoring.voting import Panel


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return probabilities, (..., C)."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def drawn_panel(
    truth: NDArray[np.int64], *, classes: int, skill: tuple[float, ...] = (2.0, 1.5, 1.0), seed: int = 0
) -> Panel:
    """Draw members that know the truth more or less well, each with mistakes of its own."""
    random = np.random.default_rng(seed)
    logits = [
        amount * np.eye(classes)[truth] + random.normal(0, 1, (len(truth), classes)) for amount in skill
    ]
    probs = [softmax(one) for one in logits]
    return Panel([part.argmax(1) for part in probs], probs, classes)
