"""One number that makes probabilities as sure as they are right, and changes no answer.

Temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 4.2): logits are divided by
T. Probabilities are logits up to one number per photo, so the same is `p ** (1 / T)`, scaled to sum to 1.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.decision import SMALLEST
from maskkit.scoring.metrics import Integers, check_pairs

LOWEST: Final = 0.05
HIGHEST: Final = 20.0


def fit_temperature(truth: Integers, probs: NDArray[np.floating[Any]]) -> float:
    """Return the temperature with which the truth is most likely, between 0.05 and 20.

    The log loss is convex in 1 / T, so there is one lowest point, and a search along a line finds it.

    Args:
        truth: Class of each photo, (N,).
        probs: Class probabilities of photos that the models were not trained on, (N, C), rows sum to 1.

    Raises:
        MaskkitError: There is no photo, or the arrays do not belong together.
    """
    from scipy.optimize import minimize_scalar

    check_pairs(truth, probs)
    logs = np.log(np.maximum(probs, SMALLEST, dtype=np.float64))  # (N, C)
    logs -= logs.max(axis=1, keepdims=True)
    own = logs[np.arange(len(truth)), truth].mean()

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float(np.log(np.exp(logs * scale).sum(axis=1)).mean() - own * scale)

    found = minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))
