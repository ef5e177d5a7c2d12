"""The manifest of `--unlabeled`: that it fits, and holds nobody whom the fold is scored on."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.header import same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.digests import content_digests
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.imaging.cropping import same_boxes
from maskkit.imaging.roots import photo_files
from maskkit.training.fold_rows import Rows

log = logging.getLogger(__name__)


def read_unlabeled(
    name: str | None,
    manifest: Manifest,
    rows: Rows,
    *,
    fold: int,
    allow_leak: bool = False,
) -> Manifest | None:
    """Read photos to learn from without labels; None if no manifest of them is named.

    People count as seen by a model only if it was told who they are: those of these photos do not, and may
    be predicted by it. But nobody may be among them whom the fold holds out, or its score would be of photos
    that the model has practised on, if without their labels.

    Args:
        name: The file.
        manifest: What is trained on and scored.
        rows: Which of it.
        fold: That is held out.
        allow_leak: Go on with photos of people who are held out.

    Raises:
        MaskkitError: It is no manifest of the same classes, has no photos, or their faces were found
            otherwise.
        RefusedError: People or photos are held out.
    """
    if name is None:
        return None
    unlabeled = Manifest.read(name)
    unlabeled = unlabeled.located(root=str(unlabeled.root), cache=manifest.photos.cache)
    same_space(manifest.space, unlabeled.space, names=(manifest.name, unlabeled.name))
    if not len(unlabeled):
        raise MaskkitError(
            f"{unlabeled.name} has no photos",
            why="they are to be learnt from",
            fix="give another --unlabeled",
        )
    same_boxes(unlabeled, manifest)
    held_out = photo_files(manifest)
    same_person = _of_people(unlabeled, manifest, rows.held_out)
    same_photo = _of_content(unlabeled, [held_out[row] for row in rows.held_out])
    leaked = np.flatnonzero(same_person | same_photo)
    if len(leaked):
        _refuse(unlabeled, leaked, fold, allow_leak=allow_leak)
    return unlabeled


def _of_people(unlabeled: Manifest, manifest: Manifest, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which photos show a person of these rows, as far as people are named, (photos,)."""
    codes = manifest.known_people[rows]
    names = {manifest.people.names[code] for code in np.unique(codes[codes >= 0])}
    groups = unlabeled.people
    is_one = np.array([name in names for name in groups.names], np.bool_)
    return np.asarray(is_one[groups.codes] & (unlabeled.known_people >= 0), np.bool_)


def _of_content(unlabeled: Manifest, others: list[Path]) -> NDArray[np.bool_]:
    """Return which photos hold the same as one of the others, (photos,)."""
    files, cache = photo_files(unlabeled), unlabeled.photos.cache
    memory = None if cache is None else cache.folder
    try:
        digests, known = (content_digests(each, memory) for each in (files, others))
    except OSError as error:
        raise MaskkitError(
            f"cannot read {error.filename}",
            why=(error.strerror or str(error)).lower(),
            fix="make the manifest anew from the photos that are there",
        ) from error
    held_out = {digest.tobytes() for digest in known}
    return np.array([digest.tobytes() in held_out for digest in digests], np.bool_)


def _refuse(unlabeled: Manifest, leaked: NDArray[np.int64], fold: int, *, allow_leak: bool) -> None:
    leak = (
        f"{len(leaked)} photos of {unlabeled.name} are of people whom fold {fold} holds out, or held out "
        f"themselves: {examples(unlabeled.paths[row] for row in leaked)}"
    )
    if not allow_leak:
        raise RefusedError(
            leak,
            why="the fold's score would be of photos that were trained on, though without their labels",
            fix="give --unlabeled a manifest of other people, or use --allow-leak to see by how much the "
            "score is inflated",
        )
    log.warning("%s; the held-out score is inflated", leak)
