"""One number that makes probabilities as sure as they are right, and changes no answer.

Temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 4.2): logits are divided by
T. Probabilities are logits up to one number per photo, so the same is `p ** (1 / T)`, scaled to sum to 1.
"""

from __future__ import annotations

import logging
from typing import Final

import numpy as np

from maskkit.artifacts.columns import SMALLEST
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.scoring.judged import Judged
from maskkit.scoring.metrics import Integers, Probabilities, check_pairs, log_loss

log = logging.getLogger(__name__)

LOWEST: Final = 0.05
HIGHEST: Final = 20.0


def fit_temperature(truth: Integers, probs: Probabilities) -> float:
    """Return the temperature with which the truth, (N,), is most likely, between 0.05 and 20.

    The log loss is convex in 1 / T, so there is one lowest point, and a search along a line finds it. Class
    probabilities are of photos that the models were not trained on, (N, C), rows sum to 1.

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


def temperature_decision(manifest: Manifest, predictions: Predictions) -> Decision:
    """Return the decision that is a temperature alone, fitted on photos whose class the manifest has.

    It fits answers that were made alike. The mean of several models is softer than each of them, so a
    temperature of out-of-fold answers, of one model each, makes such a mean softer than it should be.

    Raises:
        MaskkitError: They have no probabilities or were adjusted, or no photo has a label.
        RefusedError: Their models were trained on the people that they are fitted on.
    """
    if predictions.adjusted:
        raise MaskkitError(
            f"{predictions.name} went through a {' and '.join(predictions.adjusted)} before",
            why="a temperature is fitted on probabilities as the models gave them",
            fix="give what `maskkit predict --oof` wrote, without --consensus, --decide and --calibrate",
        )
    judged = Judged.of(manifest, [predictions], "labelled", option="--on MANIFEST").unseen()
    truth, probs = judged.truth, judged.need_probs("a temperature is fitted on probabilities")
    temperature = fit_temperature(truth, probs)
    bare = Decision.make(manifest.space, (), method="temperature", temperature=temperature)
    before, after = (log_loss(truth, given) for given in (probs, bare.applied(probs)))
    log.info(
        "temperature %.2f: log loss %.3f -> %.3f on %d out-of-fold photos",
        *(temperature, before, after, len(truth)),
    )
    measured = {"photos": len(truth), "log_loss": after, "log_loss_before": before}
    return Decision.make(
        manifest.space, predictions.header.history, method="temperature", temperature=temperature,
        measured=measured,
    )  # fmt: skip
