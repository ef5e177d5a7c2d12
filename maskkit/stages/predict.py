"""Predict each image's class, averaging models, and never by one that has seen its person unawares."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Header, Record, merged, same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.records import Cache
from maskkit.config import Device, Precision, Runtime, Tta
from maskkit.errors import RefusedError, examples
from maskkit.imaging.cropping import same_faces
from maskkit.imaging.photos import Photos, open_photos
from maskkit.imaging.roots import photo_files
from maskkit.modeling.device import resolve_device
from maskkit.modeling.restore import restore
from maskkit.modeling.runtimes import Resolved, classifier, predicting_precision, resolve_runtime
from maskkit.progress import Track, untracked
from maskkit.training.inference import probabilities

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """How prediction runs; nothing of it changes what is predicted, beyond rounding.

    Runtime and precision round in different ways, so what they came to is part of the history.
    """

    device: Device = "auto"
    batch_size: int = 64
    workers: int = 2
    runtime: Runtime = "auto"
    precision: Precision = "auto"


@dataclass(frozen=True)
class _Resolved:
    """The same with every `auto` decided, before any work."""

    device: torch.device
    batch_size: int
    workers: int
    runtime: Resolved
    precisions: tuple[str, ...]  # of each checkpoint

    @classmethod
    def of(cls, machine: Machine, checkpoints: Sequence[Checkpoint]) -> _Resolved:
        device = resolve_device(machine.device)
        precisions = [predicting_precision(machine.precision, item.precision, device) for item in checkpoints]
        runtime = resolve_runtime(machine.runtime, device)
        return cls(device, machine.batch_size, machine.workers, runtime, tuple(precisions))

    @property
    def precision(self) -> str:
        """The precision of all checkpoints; "auto" if they differ, which then decides the same again."""
        return self.precisions[0] if len(set(self.precisions)) == 1 else "auto"


def predict(
    manifest: Manifest,
    checkpoints: Sequence[Checkpoint],
    *,
    oof: bool = False,
    tta: Tta = "none",
    root: str | None = None,
    allow_leak: bool = False,
    machine: Machine | None = None,
    cache: Cache | None = None,
    track: Track = untracked,
) -> Predictions:
    """Average the class probabilities of the models for each image, rows in the manifest's order.

    Args:
        manifest: The photos; they need no label.
        checkpoints: Models of one label space. Each preprocesses as it did in training.
        oof: Out-of-fold: each row only by the models that have not seen its person, and in the folds
            they were trained on only by the one that held it out; rows without a model are left out.
        tta: Views that are averaged: the photo alone, or also its mirror image.
        root: Where the photos are, if not where `label` found them.
        allow_leak: Predict people that models were trained on; with `oof`, go by fold numbers alone.
        machine: Device, batch size, runtime and precision.
        cache: Where decoded photos are kept; None to decode them now.
        track: Shows progress.

    Raises:
        MaskkitError: Label spaces or face detectors differ, photos are not found or cannot be decoded.
        RefusedError: Models have seen people they are asked about.
    """
    for checkpoint in checkpoints:
        same_space(manifest.space, checkpoint.space, names=(manifest.name, checkpoint.name))
        same_faces(manifest, checkpoint)
    here = _Resolved.of(machine or Machine(), checkpoints)
    photo_files(manifest, root=root)  # a wrong root is better found before anything is loaded
    seen = np.stack([_seen_rows(manifest, checkpoint) for checkpoint in checkpoints])  # (models, rows)
    speaks = _who_speaks(manifest, checkpoints, seen, oof=oof, allow_leak=allow_leak)  # (models, rows)

    total = np.zeros((len(manifest), len(manifest.space)))
    for members in _sharing_photos(checkpoints, speaks):
        rows = np.flatnonzero(speaks[members[0]])
        models = [checkpoints[member] for member in members]
        photos = open_photos(manifest, models[0].preprocess, root=root, cache=cache, track=track)
        precisions = [here.precisions[member] for member in members]
        total[rows] += _sum_of_probabilities(models, precisions, photos, rows, tta, here, track)
    speakers = speaks.sum(0)
    rows = np.flatnonzero(speakers)
    probs = (total[rows] / speakers[rows, None]).astype(np.float32)
    leaked = int((speaks & seen).any(0).sum())
    return Predictions(
        path=manifest.table["path"].take(pa.array(rows)),
        answer=probs.argmax(1),
        probs=probs,
        classes=tuple(manifest.space.names),
        fold=_common_fold(checkpoints, speaks[:, rows]),
        header=_header(
            manifest,
            checkpoints,
            leaked=leaked,
            oof=oof,
            tta=tta,
            root=root,
            runtime=here.runtime,
            precision=here.precision,
            allow_leak=allow_leak,
        ),
    )


def _seen_rows(manifest: Manifest, checkpoint: Checkpoint) -> NDArray[np.bool_]:
    people = manifest.people
    return checkpoint.seen.contains(people.names)[people.codes]


def _own_rows(manifest: Manifest, checkpoints: Sequence[Checkpoint]) -> NDArray[np.bool_]:
    """Return for which rows each model may speak out-of-fold, (models, rows).

    No model has seen people of weight 0. An average of all models would flatter them beside everyone
    else, so a model that was trained on these very folds answers for its own alone.
    """
    if not manifest.has("fold"):
        return np.ones((len(checkpoints), len(manifest)), np.bool_)
    here = manifest.as_input().sha256
    return np.stack(
        [
            (manifest.folds < 0) | (manifest.folds == item.fold) | (item.seen.salt != here)
            for item in checkpoints
        ]
    )


def _who_speaks(
    manifest: Manifest,
    checkpoints: Sequence[Checkpoint],
    seen: NDArray[np.bool_],
    *,
    oof: bool,
    allow_leak: bool,
) -> NDArray[np.bool_]:
    """Return which model answers for which row, (models, rows)."""
    if not oof:
        rows = np.flatnonzero(seen.any(0))
        if len(rows) and not allow_leak:
            raise RefusedError(
                f"{len(rows)} photos show people that a model was trained on: "
                + examples(manifest.paths[row] for row in rows),
                why="their predictions look far better than those for new people",
                fix="use --oof to let each person be predicted by the models that have not seen them, "
                "or --allow-leak",
            )
        return np.ones_like(seen)
    if allow_leak:
        manifest.need("fold")
        speaks, why = (
            np.stack([manifest.folds == item.fold for item in checkpoints]),
            "no model held them out",
        )
    else:
        speaks, why = ~seen & _own_rows(manifest, checkpoints), "every model has seen their people"
    left_out = ~speaks.any(0)
    if left_out.all():
        raise RefusedError(
            f"there is no model for any of {len(manifest)} photos: {why}",
            why="out-of-fold predictions come from models that were not trained on them",
            fix="give the other folds' checkpoints, and split --by person before training",
        )
    if left_out.any():
        log.warning("%d of %d photos are left out: %s", left_out.sum(), len(manifest), why)
    silent = [item.name for item, answers in zip(checkpoints, speaks, strict=True) if not answers.any()]
    if silent:
        log.warning("%s answers for no photo: it has seen them all", examples(silent))
    return speaks


def _sharing_photos(checkpoints: Sequence[Checkpoint], speaks: NDArray[np.bool_]) -> list[list[int]]:
    """Group the models that take the same photos in the same way, so that each is decoded once."""
    groups: dict[object, list[int]] = {}
    for index, item in enumerate(checkpoints):
        key = (item.preprocess, speaks[index].tobytes())
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _sum_of_probabilities(
    checkpoints: Sequence[Checkpoint],
    precisions: Sequence[str],
    photos: Photos,
    rows: NDArray[np.int64],
    tta: Tta,
    here: _Resolved,
    track: Track,
) -> NDArray[np.float64]:
    models = [
        classifier(
            restore(checkpoint),
            runtime=here.runtime,
            precision=precision,
            device=here.device,
            size=photos.size,
        )
        for checkpoint, precision in zip(checkpoints, precisions, strict=True)
    ]
    answers = probabilities(
        models,
        photos,
        rows,
        classes=len(checkpoints[0].space),
        device=here.device,
        batch_size=here.batch_size,
        workers=here.workers,
        tta=tta,
        track=track,
    )  # (models, rows, classes)
    return np.asarray(answers.sum(0, dtype=np.float64))


def _common_fold(checkpoints: Sequence[Checkpoint], speaks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the fold that all models of a row held out, (rows,); -1 if they differ."""
    fold = np.array([checkpoint.fold for checkpoint in checkpoints])[:, None]  # (models, 1)
    highest = np.where(speaks, fold, -1).max(0)
    lowest = np.where(speaks, fold, fold.max()).min(0)
    return np.where(lowest == highest, highest, -1)


def _header(
    manifest: Manifest, checkpoints: Sequence[Checkpoint], *, leaked: int, **options: object
) -> Header:
    inputs = [manifest.header.input_from(manifest.as_input())]
    inputs += [item.header.input_from(item.source) for item in checkpoints]
    histories = [*(item.header.history for item in checkpoints), manifest.header.history]
    record = Record("predict", options, tuple(inputs))
    facts: dict[str, object] = {"leaked": leaked}
    if not options["oof"]:
        facts["seen"] = [item.seen.to_json() for item in checkpoints]
    return Header("predictions", manifest.space, (*merged(histories), record), facts)
