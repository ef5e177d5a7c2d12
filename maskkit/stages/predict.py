"""Predict each photo's class, averaging models, and never by one that has seen its person unawares."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Header, Input, Record, merged, same_space
from maskkit.artifacts.history import refuse_other_finished
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.artifacts.shard_parts import SHARD
from maskkit.artifacts.stopped import saved_if_stopped
from maskkit.errors import MaskkitError, examples
from maskkit.fitting.conformal import Calibrated
from maskkit.fitting.temperature import temperature_decision
from maskkit.imaging.cropping import same_faces
from maskkit.imaging.roots import photo_folder
from maskkit.modeling.device import recorded_threads
from maskkit.options.shard import Shard
from maskkit.options.train_options import Inference
from maskkit.options.values import parse_tta
from maskkit.predicting.adjustments import Afterwards, with_sets
from maskkit.predicting.averaging import from_average
from maskkit.predicting.divided_sums import sums_by_all
from maskkit.predicting.eligibility import common_fold, eligible_members, seen_rows
from maskkit.predicting.finished_rows import FinishedRows
from maskkit.predicting.members import Assignment, Members
from maskkit.processes.launched import launch
from maskkit.scoring.judged import Judged
from maskkit.scoring.set_scores import share_of_people, silence
from maskkit.sources.manifest_columns import unlabelled_folder
from maskkit.sources.single_photos import single_photos
from maskkit.storage.address import PathOrAddress

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
    progress_file: Path | None = None,
    replaces: Sequence[str] = (),
    faults: dict[str, str] | None = None,
    finished: Predictions | None = None,
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
        progress_file: Where rows are kept as they are finished; what an interrupted run of the same
            options and inputs left there is gone on with. It stays when all is done.
        replaces: The sha256 of outputs that this run may replace by force, and whatever goes on with it.
        faults: Takes by path what is wrong with photos that cannot be decoded, which are left out.
            None to raise.
        finished: What is there already, if that may be what is wanted; it is returned if its record, which a
            CSV has none of, says so.

    Raises:
        MaskkitError: Label spaces or face detectors differ, photos are not found or cannot be decoded, or
            what is finished is of other options or inputs.
        RefusedError: Models have seen people whom they would predict.
        StoppedError: The process was asked to end; the rows that are finished are in the progress file.
    """
    for checkpoint in checkpoints:
        same_space(manifest.space, checkpoint.space, names=(manifest.name, checkpoint.name))
        same_faces(manifest, checkpoint)
    afterwards = afterwards or Afterwards()
    afterwards.check(manifest)
    decision = afterwards.decide
    if afterwards.calibrate is not None:
        decision = temperature_decision(afterwards.on or manifest, afterwards.calibrate)
    calibrated = afterwards.promise and _calibrated(manifest, afterwards)
    members = Members.resolve(checkpoints, inference or Inference())
    inference = members.inference
    photo_folder(manifest, tolerant=faults is not None)  # better found wrong now than later
    seen = seen_rows(manifest, checkpoints)  # (models, rows)
    eligible = eligible_members(manifest, checkpoints, seen, oof=oof, allow_leak=allow_leak)  # (models, rows)
    options = {"oof": oof, "tta": inference.tta, "blend": inference.blend, **afterwards.options()}
    options |= {"root": None if photos else manifest.photos.root, "allow_leak": allow_leak}
    options |= {"runtime": members.runtime_of(eligible)}
    options |= {} if shard is None else {SHARD: str(shard)}
    record = _record(
        photos or [manifest.header.input_from(manifest.as_input())], members, afterwards, options
    )
    if finished is not None and finished.source is not None and finished.header.history:
        refuse_other_finished(Path(finished.source.name), finished.header.history[-1], record)
        log.info("%s is finished already", finished.source.name)
        return finished

    rows, work = _rows_and_work(members, eligible, shard)
    part = manifest if len(rows) == len(manifest) else manifest.select(rows)
    eligible, seen = eligible[:, rows], seen[:, rows]
    every = max(1, KEPT_EVERY // _passes(eligible, inference.tta))
    # With all that the last bit of a sum can depend on.
    machine = {"device": inference.device, "batch_size": inference.batch_size, **record.found}
    begun = replace(record, options={**record.options, **machine})
    with ProgressFile(progress_file, begun, replaces=replaces) as kept:
        kept_rows = FinishedRows(kept, every=every)
        with saved_if_stopped(progress_file, kept_rows.write):
            sums, found = _sums(part, members, work, kept_rows, faults=faults)
    part, rows = part.select(found), rows[found]
    eligible, seen = eligible[:, found], seen[:, found]
    means = sums[found] / eligible.sum(0)[:, None]
    if inference.blend != "mean":  # whose sum is 1 but for rounding
        means = from_average(means, inference.blend)
    probs = means.astype(np.float32)
    predictions = Predictions(
        path=part.table["path"],
        answer=probs.argmax(1),
        probs=probs,
        classes=tuple(manifest.space.names),
        fold=common_fold(checkpoints, eligible),
        header=_header(manifest, checkpoints, record, leaked=int((eligible & seen).any(0).sum())),
        places=None if shard is None else rows,
    )
    adjusted = afterwards.applied(predictions, part, np.arange(len(rows)), decision)
    if not calibrated:
        return adjusted
    sets = calibrated.sets(probs, calibrated.part_of(part))
    return with_sets(adjusted, sets, afterwards.abstain)


def _rows_and_work(
    members: Members, eligible: NDArray[np.bool_], shard: Shard | None
) -> tuple[NDArray[np.int64], list[Assignment]]:
    """Return the rows for which there is a model, or of these a shard's, and what is done with them."""
    work = members.assignments(eligible, shard)
    rows = np.sort(np.concatenate([one.own for one in work]))
    return rows, [one.among(rows) for one in work]


def _calibrated(manifest: Manifest, afterwards: Afterwards) -> Calibrated:
    """Calibrate sets, and say how they fare on people of other folds than they were calibrated on."""
    assert afterwards.calibrate is not None
    assert afterwards.promise is not None
    given = Judged.of(afterwards.on or manifest, [afterwards.calibrate], "labelled", option="--on MANIFEST")
    judged = given.unseen()
    found = Calibrated.of(judged, afterwards.promise)
    sets = found.sets_of_others()
    held = share_of_people(sets.holds(judged.truth), found.person)
    log.info(
        "sets hold the truth of %.1f %% of %d out-of-fold photos, and %.2f of %d classes",
        *(100 * (held.value or 0), len(judged.truth), sets.sizes.mean(), len(judged.space)),
    )
    if afterwards.abstain is not None:
        each = [
            silence(sets.sizes, most, judged.truth, judged.answer, classes=len(judged.space))
            for most in (afterwards.abstain, len(judged.space))
        ]
        if each[0] is not None and each[1] is not None:
            log.info(
                "of these, %.1f %% have sets of more than %d classes; macro-F1 is %.3f without them, and "
                "%.3f with them",
                100 * each[0].left_out, each[0].most, each[0].macro_f1, each[1].macro_f1,
            )  # fmt: skip
    return found


def photos_of(
    given: Manifest | Sequence[PathOrAddress],
    checkpoints: Sequence[Checkpoint],
    *,
    faults: dict[str, str] | None,
) -> tuple[Manifest, Sequence[Input]]:
    """Return the manifest of what is given, itself or a folder or photos, and each photo as an input.

    Raises:
        MaskkitError: As `folder_of_photos`, or a photo cannot be read.
    """
    if isinstance(given, Manifest):
        return given, ()
    if len(given) == 1 and given[0].is_dir():
        return folder_of_photos(given[0], checkpoints, faults=faults), ()
    _refuse_cutting(given[0], checkpoints)
    return single_photos(given, checkpoints[0].space)


def folder_of_photos(
    folder: PathOrAddress, checkpoints: Sequence[Checkpoint], *, faults: dict[str, str] | None = None
) -> Manifest:
    """Return the manifest of all photos under a folder, of the models' label space.

    `faults` takes what is wrong with photos whose names are not UTF-8, as that of `predict`.

    Raises:
        MaskkitError: There are none, or a model has seen photos that were cut to faces.
    """
    _refuse_cutting(folder, checkpoints)
    return unlabelled_folder(folder, checkpoints[0].space, faults=faults)


def _refuse_cutting(given: PathOrAddress, checkpoints: Sequence[Checkpoint]) -> None:
    cutting = [item.name for item in checkpoints if item.preprocess.crop is not None]
    if cutting:
        what, folder = ("folder", given) if given.is_dir() else ("photo", given.parent)
        raise MaskkitError(
            f"{given} is a {what}, and {examples(cutting)} takes photos that are cut to the face",
            why="faces are found first, by `maskkit crop`",
            fix=f"maskkit label {folder} --unlabelled -o photos.parquet && maskkit crop photos.parquet "
            "-o cropped.parquet, then predict cropped.parquet",
        )


def _passes(eligible: NDArray[np.bool_], tta: str) -> int:
    """Return through how many passes a photo goes, at most; say what views cost."""
    models, views = int(eligible.sum(0).max(initial=1)), parse_tta(tta).count
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


def _record(
    photos: Sequence[Input], members: Members, afterwards: Afterwards, options: Mapping[str, object]
) -> Record:
    inputs = [*photos]
    inputs += [item.header.input_from(item.source) for item in members.checkpoints]
    # "auto" if precisions differ, which then decides the same again.
    precision = members.precisions[0] if len(set(members.precisions)) == 1 else "auto"
    settings = {**options, "precision": precision}
    # OpenVINO and ONNX Runtime give the same bits in any number of threads.
    found = {} if options["runtime"] in EXACT else recorded_threads(members.inference.device)
    return Record("predict", settings, (*inputs, *afterwards.inputs()), found=found)


def _header(manifest: Manifest, checkpoints: Sequence[Checkpoint], record: Record, *, leaked: int) -> Header:
    histories = [*(item.header.history for item in checkpoints), manifest.header.history]
    facts: dict[str, object] = {"leaked": leaked}
    if not record.options["oof"]:
        facts["seen"] = [item.seen.to_json() for item in checkpoints]
    return Header("predictions", manifest.space, (*merged(histories), record), facts)
