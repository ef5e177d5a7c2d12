"""Find the face in each photo, so that training and prediction can be cut to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from maskkit.artifacts.checks import BOX
from maskkit.artifacts.columns import Bools
from maskkit.artifacts.header import Input
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.resumable import Resumable
from maskkit.artifacts.shard_parts import SHARD, place_rows
from maskkit.imaging.face_detectors import CENTERFACE, open_model
from maskkit.imaging.faces import FoundFaces, find_faces
from maskkit.imaging.roots import photo_files
from maskkit.options.shard import Shard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FaceCount:
    """How many faces were found in some of the photos."""

    factor: str  # of whose level these are the photos; empty for all
    level: str  # its name
    photos: int  # how many there are
    found: int  # how many have a face
    misplaced: int  # how many have something that cannot be a portrait's face

    @property
    def share(self) -> float | None:
        """The share of photos with a face; None if there are no photos."""
        return self.found / self.photos if self.photos else None

    @property
    def none(self) -> int:
        """Photos in which nothing was found."""
        return self.photos - self.found - self.misplaced

    @property
    def title(self) -> str:
        """Factor and level."""
        return f"{self.factor} {self.level}".strip()


@dataclass(frozen=True)
class Cropped:
    """The manifest with boxes, and how well that went."""

    manifest: Manifest  # with the column `box`
    # Of all photos first, then of each level of each factor among the labelled ones.
    tallies: tuple[FaceCount, ...]
    milliseconds: float  # per photo that was searched now, by the clock


def crop(
    manifest: Manifest,
    *,
    detector: str = CENTERFACE,
    score: float = 0.35,
    shard: Shard | None = None,
    resumable: Resumable | None = None,
) -> Cropped:
    """Add the column `box`: where the face of each photo is, null where none was found or it cannot be one.

    No photo is changed: `train` and `predict` cut them as they are loaded, those without a box to a
    fallback that the checkpoint holds. The photos need no label. The detector is `centerface`, or the path
    of a CenterFace or YuNet as ONNX; the score is the lowest of a face, from 0 to 1. With a shard, its photos
    alone are searched, and the manifest is a part, for `joined`. What earlier runs have left of the same,
    `resumable`, is not searched again.

    Raises:
        MaskkitError: There is no such detector, or photos are not found or cannot be decoded.
        FinishedError: All of it is there.
    """
    rows = np.arange(len(manifest))[slice(None) if shard is None else shard.of(len(manifest))]
    own = manifest if shard is None else manifest.select(rows)
    files = photo_files(own)
    model, resumable = open_model(detector), resumable or Resumable()
    given = Input(detector, model.source.sha256, option="detector")
    options = {"detector": detector, "score": score, "root": manifest.photos.root}
    options |= {} if shard is None else {SHARD: str(shard)}
    record = manifest.made_into("crop", options, inputs=(given,))
    resumable.refuse_finished(record)
    started = time.perf_counter()
    with resumable.begin(record) as kept:
        found = find_faces(lambda: model.detector(score), files, kept=kept)
    passed = time.perf_counter() - started
    if not found.is_found.any():
        log.warning("no face was found in any of %d photos", len(files))
    edges, is_lacking = pa.array(found.boxes.ravel()), pa.array(~found.is_found)
    boxes = pa.FixedSizeListArray.from_arrays(edges, type=BOX, mask=is_lacking)
    cropped = own.having({"box": boxes}, record)
    if shard is not None:
        cropped = replace(cropped, table=place_rows(cropped.table, rows))
    return Cropped(cropped, tuple(_counts(own, found)), 1000 * passed / max(1, found.searched))


def _counts(manifest: Manifest, found: FoundFaces) -> Iterator[FaceCount]:
    def count(factor: str, level: str, rows: Bools) -> FaceCount:
        is_found, misplaced = found.is_found[rows], found.misplaced[rows]
        return FaceCount(factor, level, int(rows.sum()), int(is_found.sum()), int(misplaced.sum()))

    yield count("", "all", np.ones(len(manifest), np.bool_))
    known = manifest.labels >= 0
    if not known.any():
        return
    levels = np.unravel_index(np.where(known, manifest.labels, 0), manifest.space.shape)
    for factor, level in zip(manifest.space.factors, levels, strict=True):
        for number, name in enumerate(factor.levels):
            yield count(factor.name, name, known & (level == number))
