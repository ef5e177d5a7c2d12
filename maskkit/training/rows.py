"""Which rows of a manifest a fold trains on and which it is scored on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    Raises:
        MaskkitError: There is no such fold, or nothing to train on or to score.
        RefusedError: People are on both sides.
    """
    manifest.need("fold", "label", "target", "weight")
    folds = np.unique(manifest.folds[manifest.folds >= 0])
    if fold not in folds:
        raise MaskkitError(
            f"there is no fold {fold}",
            why=f"{manifest.name} has the folds {examples(folds, most=20)}",
            fix="use one of them, or --fold all",
        )
    usable = (manifest.integers("target") >= 0) & (manifest.table["weight"].to_numpy() > 0)
    in_split = manifest.folds != NOT_IN_SPLIT
    training = np.flatnonzero(usable & in_split & (manifest.folds != fold))
    held_out = np.flatnonzero((manifest.labels >= 0) & (manifest.folds == fold))
    if not len(training) or not len(held_out):
        raise MaskkitError(
            f"fold {fold} has {len(training)} photos to train on and {len(held_out)} labelled ones held out",
            why="both are needed",
            fix="look at the folds with `maskkit show`, and split again",
        )
    _refuse_leak(manifest, Rows(training, held_out), fold, allow_leak=allow_leak)
    return Rows(training, held_out)


def people_seen(manifest: Manifest, rows: NDArray[np.int64]) -> Seen:
    """Return digests of the people in these rows, salted by the manifest."""
    names = [manifest.people.names[code] for code in np.unique(manifest.people.codes[rows])]
    return Seen.of(names, salt=manifest.as_input().sha256)


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
