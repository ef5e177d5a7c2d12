"""Averages of class probabilities, over views of a photo, over models, or over both.

The arithmetic mean is the linear opinion pool, the geometric one the logarithmic pool (Genest and Zidek
1986, https://doi.org/10.1214/ss/1177013825). A mean of the logits before the softmax is the geometric
mean again, because what differs is one number per photo, which the softmax takes out. `logit` is
therefore the mean of each class's own log-odds (Satopaa et al. 2014,
https://doi.org/10.1016/j.ijforecast.2013.09.009).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from maskkit.artifacts.columns import SMALLEST
from maskkit.scoring.metrics import Floats, Probabilities


def _logarithms(probs: Probabilities) -> Floats:
    return np.asarray(np.log(np.maximum(probs, SMALLEST, dtype=np.float64)))


def _log_odds(probs: Probabilities) -> Floats:
    inside = np.clip(probs, SMALLEST, 1 - SMALLEST, dtype=np.float64)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _from_log_odds(values: Floats) -> Floats:
    odds = 1 / (1 + np.exp(-values))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


# Of each average: how probabilities become what is averaged, and back.
_WAYS: Final[dict[str, tuple[Callable[[Probabilities], Floats], Callable[[Floats], Floats]]]] = {
    "mean": (
        lambda probs: probs.astype(np.float64),
        lambda means: means / means.sum(axis=-1, keepdims=True),
    ),
    "geometric": (_logarithms, _softmax),
    "logit": (_log_odds, _from_log_odds),
}
AVERAGES: Final = tuple(_WAYS)


def to_average(probs: Probabilities, how: str) -> Floats:
    """Return what is averaged of probabilities (..., C), so that sums can be made in parts, (..., C)."""
    return _WAYS[how][0](probs)


def from_average(means: Floats, how: str) -> Floats:
    """Return the probabilities, rows summing to 1, that a mean of `to_average` stands for, (..., C)."""
    return _WAYS[how][1](means)
