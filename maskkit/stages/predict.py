"""Predict each photo's class, averaging models, and never by one that has seen its person unawares."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Header, Input, Record, merged, same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.resumable import Resumable
from maskkit.artifacts.shard_parts import SHARD
from maskkit.artifacts.stopped import saved_if_stopped
from maskkit.errors import MaskkitError, examples
from maskkit.fitting.fitted_adjustments import FittedAdjustments
from maskkit.imaging.cropping import same_faces
from maskkit.imaging.roots import photo_folder
from maskkit.modeling.device import recorded_threads
from maskkit.options.shard import Shard
from maskkit.options.train_options import Inference
from maskkit.options.values import parse_tta
from maskkit.predicting.adjustments import Afterwards
from maskkit.predicting.averaging import from_average
from maskkit.predicting.divided_sums import sums_by_all
from maskkit.predicting.eligibility import Eligible, common_fold
from maskkit.predicting.finished_rows import FinishedRows
from maskkit.predicting.members import Assignment, Members
from maskkit.processes.launched import launch

log = logging.getLogger(__name__)

EXACT = ("openvino", "onnx")  # runtimes whose sums do not depend on how many threads compute
KEPT_EVERY = 16_384  # passes through a model between two writes of what is finished: some twenty seconds


def predict(
    manifest: Manifest,
    checkpoints: Sequence[Checkpoint],
    *,
    photos: Sequence[Input] = (),
    oof: bool = False,
    inference: Inference | None = None,
    afterwards: Afterwards | None = None,
    allow_leak: bool = False,
    shard: Shard | None = None,
    resumable: Resumable | None = None,
    faults: dict[str, str] | None = None,
) -> Predictions:
    """Average the class probabilities of the models for each photo, rows in the manifest's order.

    Args:
        manifest: The photos; they need no label.
        checkpoints: Models of one label space. Each preprocesses as it did in training.
        photos: What the manifest was made of, if no file has it: recorded in its place.
        oof: Out-of-fold: each row only by the models that have not seen its person, and in the folds
            they were trained on only by the one that held it out; rows without a model are left out.
        inference: Views and their blend, device, batch size, runtime and precision.
        afterwards: How the averaged probabilities are adjusted.
        allow_leak: Predict people that models were trained on; with `oof`, go by fold numbers alone.
        shard: The share that is predicted; the predictions are a part, for `joined`. Not together with what
            photos decide about each other, or with sets that leave some out.
        resumable: What earlier runs have left; of the same options and inputs, and on the same machine, it is
            not predicted again.
        faults: Takes by path what is wrong with photos that cannot be decoded, which are left out.
            None to raise.

    Raises:
        MaskkitError: Label spaces or face detectors differ, photos are not found or cannot be decoded, or
            what is finished is of other options or inputs.
        RefusedError: Models have seen people whom they would predict.
        StoppedError: The process was asked to end; the rows that are finished are kept.
        FinishedError: All of it is there.
    """
    for checkpoint in checkpoints:
        same_space(manifest.space, checkpoint.space, names=(manifest.name, checkpoint.name))
        same_faces(manifest, checkpoint)
    adjustments = FittedAdjustments.of(manifest, afterwards or Afterwards())
    members = Members.resolve(checkpoints, inference or Inference())
    photo_folder(manifest, tolerant=faults is not None)  # better found wrong now than later
    eligible = Eligible.of(manifest, checkpoints, oof=oof, allow_leak=allow_leak)
    options = {
        "oof": oof,
        "tta": members.inference.tta,
        "blend": members.inference.blend,
        **adjustments.wanted.options(),
        "root": None if photos else manifest.photos.root,
        "allow_leak": allow_leak,
        "runtime": members.runtime_of(eligible.members),
        **({} if shard is None else {SHARD: str(shard)}),
    }
    given = [*photos] or [manifest.header.input_from(manifest.as_input())]
    record = _record([*given, *members.inputs, *adjustments.wanted.inputs()], members, options)
    resumable = resumable or Resumable()
    resumable.refuse_finished(record)

    work = members.assignments(eligible.members, shard)
    rows = np.sort(np.concatenate([one.own for one in work]))  # those that there is a model for
    part = manifest if len(rows) == len(manifest) else manifest.select(rows)
    eligible = eligible.among(rows)
    means, found = _means(
        part, members, [one.among(rows) for one in work], eligible, record, resumable, faults=faults
    )
    rows, part, eligible = rows[found], part.select(found), eligible.among(found)
    probs = means[found].astype(np.float32)
    predictions = Predictions(
        path=part.table["path"],
        answer=probs.argmax(1),
        probs=probs,
        classes=tuple(manifest.space.names),
        fold=common_fold(checkpoints, eligible.members),
        header=_header(manifest, checkpoints, record, leaked=int(eligible.seen.sum())),
        places=None if shard is None else rows,
    )
    return adjustments.applied(predictions, part)


def _means(
    manifest: Manifest,
    members: Members,
    work: Sequence[Assignment],
    eligible: Eligible,
    record: Record,
    resumable: Resumable,
    *,
    faults: dict[str, str] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the averaged probabilities of each row, (rows, C), and the rows for which they are known.

    What is finished is kept as it comes. It is of one machine: beside the options, with all that the last bit
    of a sum can depend on.
    """
    every = max(1, KEPT_EVERY // _passes(eligible, members.inference.tta))
    machine = {"device": members.inference.device, "batch_size": members.inference.batch_size, **record.found}
    begun = replace(record, options={**record.options, **machine})
    with resumable.begin(begun) as kept:
        kept_rows = FinishedRows(kept, every=every)
        with saved_if_stopped(kept.path, kept_rows.write):
            sums, found = _sums(manifest, members, work, kept_rows, faults=faults)
    means = sums / eligible.counts[:, None]
    if members.inference.blend != "mean":  # whose sum is 1 but for rounding
        means[found] = from_average(means[found], members.inference.blend)
    return means, found


def _passes(eligible: Eligible, tta: str) -> int:
    """Return through how many passes a photo goes, at most; say what views cost."""
    models, views = int(eligible.counts.max(initial=1)), parse_tta(tta).count
    if views > 1:
        of = "1 model" if models == 1 else f"{models} models"
        log.info("%d views per photo, %s: %d passes per photo", views, of, views * models)
    return views * models


def _sums(
    manifest: Manifest,
    members: Members,
    work: Sequence[Assignment],
    progress: FinishedRows,
    *,
    faults: dict[str, str] | None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return what the predictions add up to, (rows, C), and the rows for which that is known."""
    bad: dict[int, str] | None = None if faults is None else {}
    sums_of = members.sums if launch().world == 1 else partial(sums_by_all, members)
    sums, done = sums_of(manifest, work, progress=progress, faults=bad)
    found = {manifest.paths[row]: bad[row] for row in sorted(bad or ()) if bad and not done[row]}
    if faults is not None:
        faults |= found
    if len(done) and not done.any():
        raise MaskkitError(
            f"none of {len(manifest)} photos can be read",
            why=examples(f"{path} ({why})" for path, why in found.items()),
            fix="check the photos, and --root",
        )
    return sums, np.flatnonzero(done)


def _record(inputs: Sequence[Input], members: Members, options: Mapping[str, object]) -> Record:
    # "auto" if precisions differ, which then decides the same again.
    precision = members.precisions[0] if len(set(members.precisions)) == 1 else "auto"
    # OpenVINO and ONNX Runtime give the same bits in any number of threads.
    found = {} if options["runtime"] in EXACT else recorded_threads(members.inference.device)
    return Record("predict", {**options, "precision": precision}, tuple(inputs), found=found)


def _header(manifest: Manifest, checkpoints: Sequence[Checkpoint], record: Record, *, leaked: int) -> Header:
    histories = [*(item.header.history for item in checkpoints), manifest.header.history]
    facts: dict[str, object] = {"leaked": leaked}
    if not record.options["oof"]:
        facts["seen"] = [item.seen.to_json() for item in checkpoints]
    return Header("predictions", manifest.space, (*merged(histories), record), facts)
