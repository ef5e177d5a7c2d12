"""The part of a photo that a model sees: its face with a margin, in the shape of the model's input."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint, Crop
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError

log = logging.getLogger(__name__)

DIGITS = 4  # of the fallback box: a hundredth of a percent of the photo
EDGES = 4


def crop_to_train(manifest: Manifest, margin: float) -> Crop | None:
    """Return how a model that is trained on these photos cuts them; None if they have no boxes.

    A photo without a face is cut to the median of all boxes of the manifest, whatever its fold: where
    faces are says nothing of labels, and so the folds' models see the same photos. Whole photos among
    cut ones would show faces at another scale.

    Raises:
        MaskkitError: There is a column of boxes, but no box.
    """
    if not manifest.has("box"):
        return None
    boxes = boxes_of(manifest)
    found = boxes[~np.isnan(boxes[:, 0])]
    if not len(found):
        raise MaskkitError(
            f"{manifest.name}: no photo has a face box",
            why="photos are cut to their box, and those without one to the median of the others",
            fix="run `maskkit crop` with another --detector or a lower --score, or train on a manifest "
            "from before `crop`",
        )
    x0, y0, x1, y1 = np.median(found, axis=0).astype(np.float64).round(DIGITS).tolist()
    return Crop(margin, (x0, y0, x1, y1))


def boxes_to_cut(manifest: Manifest, crop: Crop) -> NDArray[np.float32]:
    """Return the box of each photo, (rows, 4), the model's fallback where it has none, which is logged.

    Raises:
        MaskkitError: The manifest has no column of boxes.
    """
    if not manifest.has("box"):
        raise MaskkitError(
            f"{manifest.name} has no box",
            why="the model has learnt from photos that were cut to the face",
            fix="run `maskkit crop` on it first",
        )
    boxes = boxes_of(manifest)
    lacking = np.isnan(boxes[:, 0])
    boxes[lacking] = crop.fallback
    log.info(
        "photos are cut to the face and %.0f %% of it on each side; %d of %d have no face, and are cut "
        "to where faces of the training photos are",
        100 * crop.margin, lacking.sum(), len(boxes),
    )  # fmt: skip
    return boxes


def boxes_of(manifest: Manifest) -> NDArray[np.float32]:
    """Return the column `box`, (rows, 4), NaN where there is none."""
    column = manifest.table["box"]
    edges = [pc.fill_null(pc.list_element(column, edge), np.nan).to_numpy() for edge in range(EDGES)]
    return np.stack(edges, axis=1)


def same_faces(manifest: Manifest, checkpoint: Checkpoint) -> None:
    """Raise a MaskkitError if the photos' faces were found otherwise than those the model was trained on.

    Boxes of another detector are of another size. Boxes that `maskkit crop` did not make are let pass.
    """
    if checkpoint.preprocess.crop is not None:
        names = (manifest.name, f"those {checkpoint.name} was trained on")
        found_alike(manifest.header, checkpoint.header, names=names)


def same_boxes(photos: Manifest, manifest: Manifest) -> None:
    """Raise a MaskkitError if photos that join a manifest with boxes have none, or another detector's."""
    if not manifest.has("box"):
        return
    if not photos.has("box"):
        raise MaskkitError(
            f"{photos.name} has no box",
            why=f"{manifest.name} has one, so a model that is trained on it sees photos cut to the face",
            fix="run `maskkit crop` on it first",
        )
    found_alike(photos.header, manifest.header, names=(photos.name, f"those of {manifest.name}"))


def found_alike(first: Header, second: Header, *, names: tuple[str, str]) -> None:
    """Raise a MaskkitError if `maskkit crop` found faces to be cut alike by other files or scores."""
    mine, its = _detection(first), _detection(second)
    if mine is None or its is None or mine[1:] == its[1:]:
        return
    raise MaskkitError(
        f"the faces of {names[0]} were found otherwise than {names[1]}",
        why=f"the former by {mine[0]} with sha256 {mine[1][:12]} and score {mine[2]}, "
        f"the latter by {its[0]} with {its[1][:12]} and {its[2]}",
        fix=f"run `maskkit crop` on these photos with --detector {its[0]} --score {its[2]}",
    )


def window(
    face: Sequence[float], *, margin: float, shape: tuple[int, int], photo: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return the part of a photo to show, around a face, in the shape of a model's input.

    Boxes are x0, y0, x1, y1 as fractions of width and height. The face's grows by the margin, a share of its
    width and height, on every side, then in one direction until it has the shape, so that nothing is
    squashed. What lies outside the photo is shifted into it, and what is larger than the photo is shrunk
    around the face until it fits. `shape` and `photo` are height and width in pixels.
    """
    ratio = shape[1] / shape[0] * photo[0] / photo[1]  # of a window's width to its height, as fractions
    x0, y0, x1, y1 = face
    wide, tall = (x1 - x0) * (1 + 2 * margin), (y1 - y0) * (1 + 2 * margin)
    wide, tall = max(wide, tall * ratio), max(tall, wide / ratio)
    shrink = min(1.0, 1 / wide, 1 / tall)
    wide, tall = min(1.0, wide * shrink), min(1.0, tall * shrink)
    left = min(max((x0 + x1 - wide) / 2, 0.0), 1 - wide)
    top = min(max((y0 + y1 - tall) / 2, 0.0), 1 - tall)
    return left, top, left + wide, top + tall


def _detection(header: Header) -> tuple[str, str, float] | None:
    """Return the name, digest and lowest score of the detector of the last `crop`, if there was one."""
    for record in header.lineage():
        if record.stage == "crop":
            options = record.options
            digests = [item.sha256 for item in record.inputs if item.option == "detector"]
            if digests and options.get("detector") is not None and options.get("score") is not None:
                return options["detector"], digests[0], options["score"]
            return None
    return None
