"""Train a model for one fold, and keep the weights that score best on the people held out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from maskkit.artifacts.checkpoint import Checkpoint, Preprocess, checkpoint_facts, write_checkpoint
from maskkit.artifacts.files import refuse_existing, write_whole
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.history import differences
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError
from maskkit.imaging.photos import Photos
from maskkit.imaging.roots import photo_files
from maskkit.options.train_options import TrainOptions
from maskkit.tracking.facts import RunFacts
from maskkit.tracking.pictures import PicturedMistake, pictured
from maskkit.tracking.tracker import Tracker, Untracked
from maskkit.training.epochs import Epoch, to_csv
from maskkit.training.fold_rows import people_seen, rows_of
from maskkit.training.resume import RESUME, begun_with, load_state, resume_path, save_state
from maskkit.training.setup import history_of, inputs_of, settled, start
from maskkit.training.trainer import Trainer
from maskkit.training.unlabeled_rows import read_unlabeled

log = logging.getLogger(__name__)


def train(
    manifest: Manifest,
    output: Path,
    *,
    fold: int,
    options: TrainOptions | None = None,
    resume: bool = False,
    force: bool = False,
    allow_leak: bool = False,
    tracker: Tracker | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Path:
    """Train on every fold but one and write the best checkpoint to `output`.

    Beside it, `<name>.history.csv` grows by a row per epoch, and `<name>.resume` holds what is needed
    to go on after an interruption; the latter is removed when the checkpoint is written.

    Args:
        manifest: With `fold`, from `split`.
        output: The checkpoint, a `.safetensors` file.
        fold: The fold that is held out: scored after every epoch, never trained on.
        options: How to train.
        resume: Go on from an interrupted run of the same options and inputs, if there is one.
        force: Replace an existing checkpoint or interrupted run.
        allow_leak: Train although people are on both sides of the split, or held out and among the
            unlabelled.
        tracker: Is told the numbers of each epoch; the history file is written in any case.
        on_epoch: Called after each epoch.

    Raises:
        MaskkitError: Anything that can be found out before the first step, or a loss that is not finite.
        RefusedError: People are on both sides of the split, or held out and among the unlabelled, or
            pseudo labels are for other folds only.
    """
    left_over = resume_path(output)
    goes_on = resume and not force and left_over.exists()
    is_finished = resume and not force and output.exists() and not goes_on
    options = _as_begun(
        settled(options or TrainOptions()), left_over if goes_on else output if is_finished else None
    )
    record = _record(manifest, fold, options, allow_leak)
    if is_finished:
        _check_finished(output, record)
        return output
    # Whoever began the training that is gone on with was asked about an existing checkpoint then.
    refuse_existing(output, force=force or goes_on)
    _refuse_to_lose(left_over, resume=resume, force=force)
    rows = rows_of(manifest, fold, allow_leak=allow_leak)
    photo_files(manifest)  # a wrong root is better found now than after weights were loaded
    unlabeled = read_unlabeled(options.unlabeled, manifest, rows, fold=fold, allow_leak=allow_leak)

    ready = start(manifest, rows, options, unlabeled=unlabeled)
    record = replace(record, options={**record.options, "precision": ready.options.precision})
    trainer = Trainer(ready.learner, ready.fold, ready.options)
    log.info("%d photos per epoch, in %d steps", trainer.feed.photos, trainer.feed.steps)
    if goes_on:
        trainer.load_state(load_state(left_over, record))
        log.info("resumed %s after epoch %d", left_over, len(trainer.history))
    with tracker or Untracked() as told:
        told.begin(RunFacts.of(output, record, manifest.space, trainer.history))
        while not trainer.is_done:
            epoch = trainer.run_epoch()
            write_whole(output.with_suffix(".history.csv"), to_csv(trainer.history))
            told.epoch(epoch, trainer.confusion)
            save_state(left_over, record, trainer.state())  # last: what is resumed has been told
            if on_epoch is not None:
                on_epoch(epoch)
        facts = _facts(trainer, ready.photos.preprocess, fold, people_seen(manifest, rows, fold))
        header = Header("checkpoint", manifest.space, (*history_of(manifest, unlabeled), record), facts)
        ready.learner.load_state_dict(trainer.best)
        write_checkpoint(output, ready.model.state_dict(), header)  # whole, also if only its head has learnt
        told.end(trainer.best_epoch, partial(_mistakes, trainer, ready.photos))
    left_over.unlink(missing_ok=True)
    return output


def refuse_leaks(
    manifest: Manifest,
    folds: Sequence[int],
    *,
    options: TrainOptions,
) -> None:
    """Raise if a later fold could not be trained: better before the first than after its hours.

    Raises:
        MaskkitError: As `train`.
        RefusedError: As `train`.
    """
    for fold in folds:
        rows = rows_of(manifest, fold)
        read_unlabeled(options.unlabeled, manifest, rows, fold=fold)


def _refuse_to_lose(left_over: Path, *, resume: bool, force: bool) -> None:
    """Raise if an interrupted training would be thrown away unasked."""
    if left_over.exists() and not (resume or force):
        raise MaskkitError(
            f"{left_over} holds an interrupted training",
            why="starting anew would throw it away",
            fix="use --resume to go on from it, or --force to start anew",
        )


def _as_begun(options: TrainOptions, begun: Path | None) -> TrainOptions:
    """Take the precision of the run that has begun: another trial might choose otherwise.

    Args:
        options: As settled.
        begun: What an earlier part of the same run left, a resume file or a checkpoint, if any.
    """
    if options.precision != "auto" or begun is None:
        return options
    earlier = begun_with(begun) if begun.suffix == RESUME else Checkpoint.read(begun).header.history[-1]
    return replace(options, precision=earlier.options.get("precision", options.precision))


def _record(manifest: Manifest, fold: int, options: TrainOptions, allow_leak: bool) -> Record:
    settings = {"fold": fold, **options.to_json(), "root": manifest.photos.root, "allow_leak": allow_leak}
    return Record("train", settings, inputs_of(manifest, options))


def _check_finished(output: Path, record: Record) -> None:
    changed = differences(Checkpoint.read(output).header.history[-1], record)
    if changed:
        raise MaskkitError(
            f"{output} was trained with other settings: {'; '.join(changed)}",
            why="--resume goes on with the same training, and this one is finished",
            fix=f"see `maskkit show {output} --history`; use --force to train anew, or another -o",
        )
    log.info("%s is trained already", output)


def _mistakes(trainer: Trainer, photos: Photos, most: int) -> list[PicturedMistake]:
    """Return the worst mistakes of the best epoch."""
    fold = trainer.fold
    return pictured(
        photos, fold.held_out, fold.label[fold.held_out], trainer.best_answers, space=fold.space, most=most
    )


def _facts(trainer: Trainer, preprocess: Preprocess, fold: int, seen: Seen) -> dict[str, Any]:
    best, name = trainer.best_epoch, trainer.options.one("model")
    return checkpoint_facts(
        model=name.name,
        pool=str(name.settings["pool"]),
        heads=[str(head) for head in trainer.options.chosen("head")],
        preprocess=preprocess,
        precision=trainer.precision,
        fold=fold,
        epoch=best.epoch,
        scores={**best.scores, "loss": best.held_out_loss},
        seen=seen,
    )
