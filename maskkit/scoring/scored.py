"""The photos that are scored: what is true of them, and what was answered."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, examples
from maskkit.scoring.matching import places
from maskkit.scoring.metrics import Integers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scored:
    """Labelled photos with an answer.

    Args:
        rows: Where they are in the manifest, (N,).
        place: Where they are in the predictions, (N,).
        truth: Class of each, (N,).
        answer: Class answered, (N,).
        person: A code per person, negative where unknown, (N,).
        fold: The fold of each, (N,), negative where none; None if no photo was held out.
    """

    rows: NDArray[np.int64]
    place: NDArray[np.int64]
    truth: NDArray[np.int64]
    answer: Integers
    person: NDArray[np.int64]
    fold: NDArray[np.int64] | None

    @classmethod
    def of(cls, manifest: Manifest, predictions: Predictions) -> Scored:
        """Match by path.

        Raises:
            MaskkitError: A fold was predicted in part, or something else was predicted too.
        """
        rows, place = _matched(manifest, predictions)
        fold = manifest.folds[rows] if manifest.has("fold") else None
        return cls(
            rows=rows,
            place=place,
            truth=manifest.labels[rows],
            answer=predictions.answer[place],
            person=manifest.known_people[rows],
            fold=fold if fold is not None and (fold >= 0).any() else None,
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
