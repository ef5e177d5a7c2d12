"""From predictions of people that no model had seen to the temperature that makes probabilities honest."""

from __future__ import annotations

import logging

import numpy as np

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.deciding.temperature import fit_temperature
from maskkit.errors import MaskkitError
from maskkit.scoring.matching import check_answers, places, refuse_leak
from maskkit.scoring.metrics import log_loss

log = logging.getLogger(__name__)


def temperature_decision(manifest: Manifest, predictions: Predictions) -> Decision:
    """Return the decision that is a temperature alone, fitted on photos whose class is known.

    It fits answers that were made alike. The mean of several models is softer than each of them, so a
    temperature of out-of-fold answers, of one model each, makes such a mean softer than it should be.

    Args:
        manifest: Holds the truth.
        predictions: Of all or some of its photos, out-of-fold.

    Raises:
        MaskkitError: They have no probabilities or were adjusted, or no photo of theirs has a label.
        RefusedError: Their models were trained on the people that they are fitted on.
    """
    if predictions.probs is None or predictions.adjusted:
        made = " and ".join(predictions.adjusted)
        raise MaskkitError(
            f"{predictions.name} went through a {made} before"
            if made
            else f"{predictions.name} has answers only",
            why="a temperature is fitted on probabilities as the models gave them",
            fix="give what `maskkit predict --oof` wrote, without --consensus, --decide and --calibrate",
        )
    check_answers(manifest, predictions)
    place = places(manifest, predictions)
    rows = np.flatnonzero((place >= 0) & (manifest.labels >= 0))
    if not len(rows):
        raise MaskkitError(
            f"no photo of {predictions.name} has a label in {manifest.name}",
            why="a temperature is fitted on photos whose class is known",
            fix="name the manifest of these predictions with --on",
        )
    refuse_leak(manifest, predictions, rows, allow_leak=False)
    truth, probs = manifest.labels[rows], predictions.probs[place[rows]]
    temperature = fit_temperature(truth, probs)
    bare = Decision.make(manifest.space, (), method="temperature", temperature=temperature)
    every = np.arange(len(rows))
    before, after = (log_loss(truth, given, every) for given in (probs, bare.applied(probs)))
    log.info(
        "temperature %.2f: log loss %.3f -> %.3f on %d out-of-fold photos",
        temperature,
        before,
        after,
        len(rows),
    )
    measured = {"photos": len(rows), "log_loss": after, "log_loss_before": before}
    return Decision.make(
        manifest.space, predictions.header.history, method="temperature", temperature=temperature,
        measured=measured,
    )  # fmt: skip
