"""Which folds may train on pseudo labels: those whose people no model behind the labels has seen.

A model hands what it learnt of people on to the labels it makes. Trained on them, another model that holds
these people out is scored on what it learnt about them (leakage by way of a feature, Kaufman et al. 2012,
https://doi.org/10.1145/2382577.2382579).
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checks import NO_FOLD
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import RefusedError, examples
from maskkit.scoring.panel import are_seen

log = logging.getLogger(__name__)

ALL_FOLDS = -2  # stands for null in `for_fold`


def model_folds(predictions: Predictions) -> list[int]:
    """Return the folds that the models behind predictions held out, as their history records."""
    history = predictions.header.history
    followed = {item.made_by for record in history for item in record.inputs if item.option == "like"}
    records = (record for record in history if record.stage == "train" and record.id not in followed)
    folds = (record.options.get("fold") for record in records)
    return sorted({fold for fold in folds if isinstance(fold, int)})


def folds_to_train(
    manifest: Manifest, predictions: Predictions, *, allow_leak: bool = False
) -> NDArray[np.int64]:
    """Return for each prediction the fold that may train on it, (rows,); -2 for all, -1 for none.

    Who a model has seen is read from its digests, not from its fold's number. Out-of-fold predictions have
    no digests: there the fold counts, if the models were trained on this very manifest.

    Raises:
        RefusedError: No fold may train on them, or it cannot be known; unless `allow_leak`, which gives -1.
    """
    known = are_seen(manifest.people.names, predictions)
    if known is not None:
        return np.full(len(predictions), _common_fold(manifest, predictions, known, allow_leak=allow_leak))
    # Folds mean those of this manifest if all models behind the predictions were trained on it.
    records = [record for record in predictions.header.history if record.stage == "train"]
    here = manifest.as_input().sha256
    is_of_manifest = bool(records) and all(
        record.inputs and record.inputs[0].sha256 == here for record in records
    )
    if predictions.fold is not None and not predictions.leaked and is_of_manifest:
        fold = np.maximum(predictions.fold, NO_FOLD).astype(np.int64)
        several = int((fold < 0).sum())
        if several and not allow_leak:
            raise _several(predictions, f"several folds' models answer for {several} photos")
        return fold
    if not allow_leak:
        raise RefusedError(
            f"it is not known on whom the models behind {predictions.name} were trained",
            why="their labels may pass on what they know of the people whom a fold holds out",
            fix="give Parquet from `maskkit predict` with models of these folds, without --oof, or use "
            "--allow-leak",
        )
    return np.full(len(predictions), NO_FOLD)


def _common_fold(
    manifest: Manifest, predictions: Predictions, known: NDArray[np.bool_], *, allow_leak: bool
) -> int:
    folds = np.unique(manifest.folds[manifest.folds >= 0])
    spoilt = np.unique(manifest.folds[known[manifest.people.codes]])
    clean = np.setdiff1d(folds, spoilt).tolist()
    if len(clean) == len(folds):
        return ALL_FOLDS
    if not clean:
        if not allow_leak:
            raise _several(predictions, f"models have seen people of every fold of {manifest.name}")
        log.warning("these models have seen people of every fold: no fold may train on their labels")
        return NO_FOLD
    if len(clean) > 1:
        log.warning(
            "folds %s could train on these labels, and a row names one: it is %d",
            *(examples(clean, most=20), clean[0]),
        )
    return int(clean[0])


def _several(predictions: Predictions, what: str) -> RefusedError:
    folds = model_folds(predictions)
    return RefusedError(
        f"no fold may train on labels from {predictions.name}: {what}",
        why="a fold's model would learn about the people whom it holds out, and its score would be of "
        "that"
        + (f"; these are the models of the folds {examples(folds, most=20)}" if len(folds) > 1 else ""),
        fix="predict with each fold's model alone, make pseudo labels from each of these predictions, and "
        "train --fold K on those of fold K; or use --allow-leak",
    )
