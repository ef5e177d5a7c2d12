"""Predict each image's class, averaging models, and never by one that has seen its person unawares."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Header, Record, merged, same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, examples
from maskkit.fitting.temperature import temperature_decision
from maskkit.imaging.cropping import same_faces
from maskkit.imaging.roots import photo_files
from maskkit.modeling.device import resolve_device
from maskkit.modeling.runtimes import predicting_precision, resolve_runtime
from maskkit.options.train_options import Blend, Device, Precision, Runtime
from maskkit.options.values import Tta, parse_tta
from maskkit.predicting.adjustments import Afterwards
from maskkit.predicting.averaging import from_average
from maskkit.predicting.eligibility import common_fold, seen_rows, who_speaks
from maskkit.predicting.inference import Asking
from maskkit.predicting.members import Models, sums_of
from maskkit.predicting.progress_file import Finished
from maskkit.sources.listed import unlabelled_folder

log = logging.getLogger(__name__)

KEPT_EVERY = 16_384  # passes through a model between two writes of what is finished: some twenty seconds


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

    def resolved(self, checkpoints: Sequence[Checkpoint], tta: Tta, blend: Blend) -> Models:
        """Return the models with every `auto` decided, before any work."""
        device = resolve_device(self.device)
        return Models(
            checkpoints,
            [predicting_precision(self.precision, item.precision, device) for item in checkpoints],
            resolve_runtime(self.runtime, device),
            Asking(device, self.batch_size, self.workers, tta, blend),
        )


def predict(
    manifest: Manifest,
    checkpoints: Sequence[Checkpoint],
    *,
    oof: bool = False,
    tta: str = "none",
    blend: Blend = "mean",
    afterwards: Afterwards | None = None,
    allow_leak: bool = False,
    machine: Machine | None = None,
    left_over: Path | None = None,
    faults: dict[str, str] | None = None,
) -> Predictions:
    """Average the class probabilities of the models for each image, rows in the manifest's order.

    Args:
        manifest: The photos; they need no label.
        checkpoints: Models of one label space. Each preprocesses as it did in training.
        oof: Out-of-fold: each row only by the models that have not seen its person, and in the folds
            they were trained on only by the one that held it out; rows without a model are left out.
        tta: Views of each photo that are averaged: `none`, or such as `hflip,scale:0.9,shift`.
        blend: How views and models are averaged: `mean`, `geometric` or `logit`.
        afterwards: How probabilities are adjusted when all models have spoken.
        allow_leak: Predict people that models were trained on; with `oof`, go by fold numbers alone.
        machine: Device, batch size, runtime and precision.
        left_over: A file where rows are kept as they are finished; what an interrupted run of the same
            options and inputs left there is gone on with. It stays when all is done.
        faults: Is told by path what is wrong with photos that cannot be decoded, which are left out.
            None to raise.

    Raises:
        MaskkitError: Label spaces or face detectors differ, photos are not found or cannot be decoded.
        RefusedError: Models have seen people they are asked about.
    """
    for checkpoint in checkpoints:
        same_space(manifest.space, checkpoint.space, names=(manifest.name, checkpoint.name))
        same_faces(manifest, checkpoint)
    afterwards, views = afterwards or Afterwards(), parse_tta(tta)
    afterwards.check(manifest)
    decision = afterwards.decide
    if afterwards.calibrate is not None:
        decision = temperature_decision(afterwards.on or manifest, afterwards.calibrate)
    models = (machine or Machine()).resolved(checkpoints, views, blend)
    photo_files(manifest, tolerant=faults is not None)  # better found wrong now than later
    seen = seen_rows(manifest, checkpoints)  # (models, rows)
    speaks = who_speaks(manifest, checkpoints, seen, oof=oof, allow_leak=allow_leak)  # (models, rows)
    options = {
        "oof": oof,
        "tta": str(views),
        "blend": blend,
        **afterwards.options(),
        "root": manifest.photos.root,
    }
    record = _record(manifest, models, afterwards, {**options, "allow_leak": allow_leak})

    asked = np.flatnonzero(speaks.any(0))
    part = manifest if len(asked) == len(manifest) else manifest.select(asked)
    speaks, seen = speaks[:, asked], seen[:, asked]
    every = max(1, KEPT_EVERY // _passes(speaks, views))
    with Finished(left_over, _with_machine(record, models), every=every) as kept:
        sums, rows = _sums(part, models, speaks, kept, faults=faults)
    speaks, seen = speaks[:, rows], seen[:, rows]
    probs = _averaged(sums[rows], speaks.sum(0), blend)
    predictions = Predictions(
        path=part.table["path"].take(pa.array(rows)),
        answer=probs.argmax(1),
        probs=probs,
        classes=tuple(manifest.space.names),
        fold=common_fold(checkpoints, speaks),
        header=_header(manifest, checkpoints, record, leaked=int((speaks & seen).any(0).sum())),
    )
    return afterwards.applied(predictions, part, rows, decision)


def folder_of_photos(folder: Path, checkpoints: Sequence[Checkpoint]) -> Manifest:
    """Return the manifest of all photos under a folder, of the models' label space.

    Raises:
        MaskkitError: There are none, or a model has seen photos that were cut to faces.
    """
    cutting = [item.name for item in checkpoints if item.preprocess.crop is not None]
    if cutting:
        raise MaskkitError(
            f"{folder} is a folder, and {examples(cutting)} takes photos that are cut to the face",
            why="faces are found first, by `maskkit crop`",
            fix=f"maskkit label {folder} --unlabelled -o photos.parquet && maskkit crop photos.parquet "
            "-o cropped.parquet, then predict cropped.parquet",
        )
    return unlabelled_folder(folder, checkpoints[0].space)


def _passes(speaks: NDArray[np.bool_], views: Tta) -> int:
    """Return through how many passes a photo goes, at most; what views cost is told."""
    models = int(speaks.sum(0).max())
    passes = views.count * models
    if views.count > 1:
        of = "1 model" if models == 1 else f"{models} models"
        log.info("%d views per photo, %s: %d passes per photo", views.count, of, passes)
    return passes


def _sums(
    manifest: Manifest,
    models: Models,
    speaks: NDArray[np.bool_],
    kept: Finished,
    *,
    faults: dict[str, str] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what the models' answers add up to, (rows, C), and the rows for which that is known."""
    bad: dict[int, str] | None = None if faults is None else {}
    sums, done = sums_of(manifest, models, speaks, kept=kept, faults=bad)
    found = {manifest.paths[row]: bad[row] for row in sorted(bad or ()) if bad and not done[row]}
    if faults is not None:
        faults |= found
    if not done.any():
        raise MaskkitError(
            f"none of {len(manifest)} photos can be read",
            why=examples(f"{path} ({why})" for path, why in found.items()),
            fix="check the photos, and --root",
        )
    return sums, np.flatnonzero(done)


def _averaged(sums: NDArray[np.float64], speakers: NDArray[np.int64], blend: Blend) -> NDArray[np.float32]:
    means = sums / speakers[:, None]
    if blend != "mean":  # whose sum is 1 but for rounding
        means = from_average(means, blend)
    return means.astype(np.float32)


def _record(
    manifest: Manifest, models: Models, afterwards: Afterwards, options: Mapping[str, object]
) -> Record:
    inputs = [manifest.header.input_from(manifest.as_input())]
    inputs += [item.header.input_from(item.source) for item in models.checkpoints]
    # "auto" if precisions differ, which then decides the same again.
    precision = models.precisions[0] if len(set(models.precisions)) == 1 else "auto"
    settings = {**options, "runtime": models.runtime, "precision": precision}
    return Record("predict", settings, (*inputs, *afterwards.inputs()))


def _with_machine(record: Record, models: Models) -> Record:
    """Return the record with all that the last bit of a sum can depend on."""
    asking = models.asking
    own = {"device": str(asking.device), "batch_size": asking.batch_size}
    return replace(record, options={**record.options, **own})


def _header(manifest: Manifest, checkpoints: Sequence[Checkpoint], record: Record, *, leaked: int) -> Header:
    histories = [*(item.header.history for item in checkpoints), manifest.header.history]
    facts: dict[str, object] = {"leaked": leaked}
    if not record.options["oof"]:
        facts["seen"] = [item.seen.to_json() for item in checkpoints]
    return Header("predictions", manifest.space, (*merged(histories), record), facts)
