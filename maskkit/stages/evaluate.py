"""Score predictions against the truth, with intervals that respect that photos come in people."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.files import STANDARD_INPUT
from maskkit.artifacts.header import Record, merged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.script import script
from maskkit.errors import MaskkitError, examples
from maskkit.scoring.evaluation import score
from maskkit.scoring.matching import check_answers, places, refuse_leak
from maskkit.scoring.metrics import log_loss
from maskkit.scoring.scores import Scores

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """Scores, and what they are scores of.

    Args:
        scores: Measures with their intervals.
        log_loss: Mean cross entropy of the probabilities; None for answers without them.
        history: Every stage run that led to these scores.
    """

    scores: Scores
    log_loss: float | None
    history: tuple[Record, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the headline first."""
        return {"log_loss": self.log_loss, **self.scores.to_json()}


def evaluate(
    manifest: Manifest,
    predictions: Predictions,
    *,
    replicates: int = 1000,
    seed: int = 0,
    allow_leak: bool = False,
) -> Evaluation:
    """Score every labelled image against `label`, the truth, whatever the training target was.

    Args:
        manifest: Holds the truth. Predictions may cover all of it, or whole folds.
        predictions: Matched by path.
        replicates: Bootstrap replicates over people.
        seed: Of the bootstrap.
        allow_leak: Score although models have seen the people.

    Raises:
        MaskkitError: Images or classes do not match; nothing is dropped silently.
        RefusedError: The models have seen people they are scored on.
    """
    manifest.need("label")
    check_answers(manifest, predictions)
    rows, place = _matched(manifest, predictions)  # (scored,), (scored,)
    refuse_leak(manifest, predictions, rows, allow_leak=allow_leak)
    truth = manifest.labels[rows]
    person = manifest.known_people
    fold = manifest.folds[rows] if manifest.has("fold") else None
    scores = score(
        truth,
        predictions.answer[place],
        space=manifest.space,
        person=person[rows],
        fold=fold if fold is not None and (fold >= 0).any() else None,
        replicates=replicates,
        seed=seed,
    )
    history = merged([predictions.header.history, manifest.header.history])
    return Evaluation(scores, _log_loss(truth, predictions, place), history)


def report(evaluation: Evaluation, *, manifest: str, predictions: str, curves: Sequence[Path] = ()) -> str:
    """Return a self-contained HTML page of the scores; no photo is in it.

    Args:
        evaluation: What to show.
        manifest: Name of the manifest scored.
        predictions: Name of the predictions scored.
        curves: History files of the trainings, to be drawn.
    """
    from maskkit.reporting.curves import training_curves  # pandas and jinja2, which scores alone need not
    from maskkit.reporting.page import evaluation_page

    facts = {"Manifest": manifest, "Predictions": predictions}
    if evaluation.log_loss is not None:
        facts["Cross entropy"] = f"{evaluation.log_loss:.4f}"
    return evaluation_page(
        evaluation.scores,
        title=f"Evaluation of {predictions}",
        facts=facts,
        history=script(evaluation.history, output="-" if predictions == STANDARD_INPUT else predictions),
        curves=training_curves(curves),
    )


def _matched(manifest: Manifest, predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labelled rows that were predicted, and the prediction of each.

    Raises unless each fold was predicted as a whole or not at all, and nothing else was predicted.
    """
    paths = manifest.table["path"]
    place = places(manifest, predictions)
    if (place >= 0).sum() < len(predictions):  # paths are unique in both
        strangers = pc.invert(pc.is_in(predictions.path, value_set=paths))
        extra = predictions.path.filter(strangers).to_pylist()
        raise MaskkitError(
            f"{predictions.name} has {len(extra)} images that are not in {manifest.name}: {examples(extra)}",
            why="an answer without a known truth cannot be scored",
            fix="evaluate with the manifest that was predicted",
        )
    labelled = manifest.labels >= 0
    scored, unanswered = labelled & (place >= 0), labelled & (place < 0)
    if not scored.any():
        raise MaskkitError(
            f"{predictions.name} answers for no labelled image of {manifest.name}",
            why="there is nothing to score",
            fix="evaluate with a manifest that holds the truth",
        )
    part = manifest.folds if manifest.has("fold") else np.zeros(len(manifest), np.int64)
    halved = unanswered & np.isin(part, np.unique(part[scored]))
    if halved.any():
        missing = paths.filter(pa.array(halved)).to_pylist()
        raise MaskkitError(
            f"{len(missing)} labelled images have no prediction: {examples(missing)}",
            why="a score over part of a fold is a score of other people than it claims",
            fix="predict all images of the manifest, or all of a fold",
        )
    if unanswered.any():
        folds = np.unique(part[scored])
        log.warning(
            "scoring fold %s only: %d of %d labelled images",
            examples(folds, most=20),
            scored.sum(),
            labelled.sum(),
        )
    rows = np.flatnonzero(scored)
    return rows, place[rows]


def _log_loss(truth: NDArray[np.int64], predictions: Predictions, place: NDArray[np.int64]) -> float | None:
    if predictions.probs is None:
        return None
    return log_loss(truth, predictions.probs, place)
