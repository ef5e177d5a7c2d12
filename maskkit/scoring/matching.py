"""Predictions beside the truth: of the same classes, which photo is whose, and what a model has seen."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.header import same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, RefusedError, examples

log = logging.getLogger(__name__)


def check_answers(manifest: Manifest, predictions: Predictions) -> None:
    """Raise MaskkitError unless the predictions are of the manifest's classes, in its order."""
    if predictions.header.space is not None:
        same_space(manifest.space, predictions.header.space, names=(manifest.name, predictions.name))
    names = tuple(manifest.space.names)
    if predictions.classes is not None and predictions.classes != names:
        raise MaskkitError(
            f"{predictions.name} has other classes than {manifest.name}",
            why=f"{examples(predictions.classes)} against {examples(names)}",
            fix="use predictions of the same label space, with columns in its order",
        )
    if len(predictions) and predictions.answer.max() >= len(names):
        raise MaskkitError(
            f"{predictions.name} answers {predictions.answer.max()}",
            why=f"{manifest.name} has classes 0 to {len(names) - 1}",
            fix="use predictions of the same label space",
        )


def places(manifest: Manifest, predictions: Predictions) -> NDArray[np.int64]:
    """Return which row of the predictions is of each photo of the manifest, (rows,); -1 if none is."""
    paths = manifest.table["path"]
    if paths.equals(predictions.path):
        return np.arange(len(manifest))
    found = pc.index_in(paths, value_set=predictions.path)
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)


def refuse_leak(
    manifest: Manifest, predictions: Predictions, rows: NDArray[np.int64], *, allow_leak: bool
) -> None:
    """Raise RefusedError if a model behind the predictions was trained on people who are scored.

    Args:
        manifest: Names the people.
        predictions: Say whom their models have seen.
        rows: Rows of the manifest that are scored, (scored,).
        allow_leak: Warn instead.
    """
    leaked = 0
    if predictions.seen:
        people = manifest.people
        names = people.values.take(pa.array(np.unique(people.codes[rows]))).to_pylist()
        leaked = int(np.any([seen.contains(names) for seen in predictions.seen], axis=0).sum())
    if not leaked and not predictions.leaked:
        return
    what = f"{leaked} people" if leaked else f"the people on {predictions.leaked} photos"
    if not allow_leak:
        raise RefusedError(
            f"the models behind {predictions.name} were trained on {what} scored here",
            why="such a score measures how well faces are remembered",
            fix="make the predictions with --oof, or use --allow-leak to see the inflated score",
        )
    log.warning("the models were trained on %s scored here: the scores are inflated", what)
