"""Which rows of a manifest a fold trains on and which it is scored on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import NO_FOLD
from maskkit.artifacts.manifest import NOT_IN_SPLIT, Manifest
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError, examples

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rows:
    """Indices of rows of a manifest.

    Args:
        training: Trained on.
        held_out: Scored on, never trained on.
    """

    training: NDArray[np.int64]
    held_out: NDArray[np.int64]


def rows_of(manifest: Manifest, fold: int, *, allow_leak: bool = False) -> Rows:
    """Return the rows to train on when one fold is held out, and that fold's.

    A pseudo label whose `for_fold` is another fold is left out, unless leaks are allowed: the models
    behind it were trained on people whom this fold holds out.

    Raises:
        MaskkitError: There is no such fold, or nothing to train on or to score.
        RefusedError: People are on both sides, or all pseudo labels are for other folds.
    """
    manifest.need("fold", "label", "target", "weight")
    folds = np.unique(manifest.folds[manifest.folds >= 0])
    if fold not in folds:
        raise MaskkitError(
            f"there is no fold {fold}",
            why=f"{manifest.name} has the folds {examples(folds, most=20)}",
            fix="use one of them, or --fold all",
        )
    refuse_foreign(manifest, [fold], allow_leak=allow_leak)
    usable = _usable(manifest)
    foreign = usable & _is_foreign(manifest, fold)
    if foreign.any() and not allow_leak:
        log.info("%d pseudo labels are left out: other folds' models made them", foreign.sum())
        usable &= ~foreign
    training = np.flatnonzero(usable & (manifest.folds != fold))
    held_out = np.flatnonzero((manifest.labels >= 0) & (manifest.folds == fold))
    if not len(training) or not len(held_out):
        raise MaskkitError(
            f"fold {fold} has {len(training)} photos to train on and {len(held_out)} labelled ones held out",
            why="both are needed",
            fix="look at the folds with `maskkit show`, and split again",
        )
    if foreign.any() and allow_leak:
        log.warning(
            "%d pseudo labels come from models that were trained on people of fold %d; the held-out score "
            "is inflated",
            *(foreign.sum(), fold),
        )
    _refuse_leak(manifest, Rows(training, held_out), fold, allow_leak=allow_leak)
    return Rows(training, held_out)


def refuse_foreign(manifest: Manifest, folds: Iterable[int], *, allow_leak: bool = False) -> None:
    """Raise if there are pseudo labels, and one of these folds may train on none of them.

    Raises:
        RefusedError: With the folds that they are for.
    """
    if not manifest.has("for_fold") or allow_leak:
        return
    pseudo = _usable(manifest) & _is_pseudo(manifest)
    barred = [fold for fold in folds if pseudo.any() and _is_foreign(manifest, fold)[pseudo].all()]
    if not barred:
        return
    made_for = np.unique(manifest.integers("for_fold")[pseudo])
    alone = made_for[made_for != NO_FOLD]
    names = examples(alone, most=20)
    told = f"for fold {names}" if len(alone) else "for no fold"
    raise RefusedError(
        f"the {pseudo.sum()} pseudo labels of {manifest.name} are {told}, not for fold "
        + examples(barred, most=20),
        why="models that were trained on people whom this fold holds out made them, so its score would be "
        "of labels that were known",
        fix=(f"use --fold {names}; " if len(alone) else "")
        + f"for fold {barred[0]}, let its own model alone make them: maskkit predict PHOTOS "
        f"fold{barred[0]}.safetensors, then maskkit pseudo; or use --allow-leak",
    )


def people_seen(manifest: Manifest, rows: Rows, fold: int) -> Seen:
    """Return digests of the people whose labels were learnt from, salted by the manifest.

    A photo with a pseudo label adds nobody: its truth was never used, so models that learnt it may
    still be asked about it. But a pseudo label that came, on demand, from models which know the people
    held out passes their labels on, and so these people have been seen.
    """
    codes = manifest.people.codes
    learnt = codes[rows.training[~_is_pseudo(manifest)[rows.training]]]
    if _is_foreign(manifest, fold)[rows.training].any():
        learnt = np.concatenate([learnt, codes[rows.held_out]])
    names = [manifest.people.names[code] for code in np.unique(learnt)]
    return Seen.of(names, salt=manifest.as_input().sha256)


def _usable(manifest: Manifest) -> NDArray[np.bool_]:
    """Whether a row is for training at all, (rows,)."""
    usable = (manifest.integers("target") >= 0) & (manifest.table["weight"].to_numpy() > 0)
    return np.asarray(usable & (manifest.folds != NOT_IN_SPLIT), np.bool_)


def _is_pseudo(manifest: Manifest) -> NDArray[np.bool_]:
    origin = manifest.table["origin"].cast(pa.string())
    return np.asarray(pc.equal(origin, "pseudo").to_numpy(), np.bool_)


def _is_foreign(manifest: Manifest, fold: int) -> NDArray[np.bool_]:
    """Whether a row's label may come from people of this fold by way of other models, (rows,)."""
    if not manifest.has("for_fold"):
        return np.zeros(len(manifest), np.bool_)
    return np.asarray(manifest.integers("for_fold", null=fold) != fold, np.bool_)


def _refuse_leak(manifest: Manifest, rows: Rows, fold: int, *, allow_leak: bool) -> None:
    codes = manifest.people.codes
    both = np.intersect1d(codes[rows.training], codes[rows.held_out])
    if not len(both):
        return
    leak = f"{len(both)} people are on both sides of fold {fold}: " + examples(
        manifest.people.names[code] for code in both
    )
    if not allow_leak:
        raise RefusedError(
            leak,
            why="the score would measure how well the model remembers faces",
            fix="split with --by person, or use --allow-leak to see by how much the score is inflated",
        )
    log.warning("%s; the held-out score is inflated", leak)
