"""Train a model for one fold, and keep the weights that score best on the people held out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from maskkit.artifacts.checkpoint import Checkpoint, Preprocess, checkpoint_facts, write_checkpoint
from maskkit.artifacts.files import Source, refuse_existing, write_whole
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import NOT_IN_SPLIT, Manifest
from maskkit.artifacts.records import Cache
from maskkit.artifacts.seen import Seen
from maskkit.config import Device, Precision, TrainOptions, parse_channels, parse_size
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.imaging.augment import augmentation
from maskkit.imaging.cropping import crop_to_train
from maskkit.imaging.photos import Photos, open_photos
from maskkit.imaging.roots import photo_files
from maskkit.modeling.backbone import build, input_size_of, preprocessing_of
from maskkit.modeling.device import resolve_device
from maskkit.modeling.precision import resolve_precision
from maskkit.modeling.weights import PACKAGE, load_weights
from maskkit.progress import Track, untracked
from maskkit.training.engine import Trainer
from maskkit.training.features import freeze
from maskkit.training.fold import Fold
from maskkit.training.history import Epoch, to_csv
from maskkit.training.resume import RESUME, begun_with, differences, load_state, resume_path, save_state
from maskkit.training.trial import Work, choose_precision

log = logging.getLogger(__name__)


def train(
    manifest: Manifest,
    output: Path,
    *,
    fold: int,
    options: TrainOptions | None = None,
    root: str | None = None,
    cache: Cache | None = None,
    resume: bool = False,
    force: bool = False,
    allow_leak: bool = False,
    track: Track = untracked,
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
        root: Where the photos are, if not where `label` found them.
        cache: Where decoded photos are kept; None to decode them in every epoch.
        resume: Go on from an interrupted run of the same options and inputs, if there is one.
        force: Replace an existing checkpoint or interrupted run.
        allow_leak: Train although people are on both sides of the split.
        track: Shows progress.
        on_epoch: Called after each epoch.

    Raises:
        MaskkitError: Anything that can be found out before the first step, or a loss that is not finite.
        RefusedError: People are on both sides of the split.
    """
    left_over = resume_path(output)
    goes_on = resume and not force and left_over.exists()
    is_finished = resume and not force and output.exists() and not goes_on
    options = _resolved(options or TrainOptions(), left_over if goes_on else output if is_finished else None)
    record = _record(manifest, fold, options, root, allow_leak)
    if is_finished:
        _check_finished(output, record)
        return output
    # Whoever began the training that is gone on with was asked about an existing checkpoint then.
    refuse_existing(output, force=force or goes_on)
    _refuse_to_lose(left_over, resume=resume, force=force)
    rows = _rows(manifest, fold, allow_leak=allow_leak)
    photo_files(manifest, root=root)  # a wrong root is better found now than after weights were loaded

    model, preprocess = _model(manifest, options)
    if options.precision == "auto":
        options = replace(options, precision=_tried(model, options, len(rows.training), cache))
        record = replace(record, options={**record.options, "precision": options.precision})
    photos = open_photos(manifest, preprocess, root=root, cache=cache, track=track)
    learner, learnt = model, _fold(manifest, rows, photos, options)
    if options.freeze:
        learner, learnt = freeze(model, learnt, photos, options, cache=cache, track=track)
    trainer = Trainer(learner, learnt, options)
    if goes_on:
        trainer.load_state(load_state(left_over, record))
        log.info("resumed %s after epoch %d", left_over, len(trainer.history))
    while not trainer.is_done:
        epoch = trainer.run_epoch(track)
        write_whole(output.with_suffix(".history.csv"), to_csv(trainer.history))
        save_state(left_over, record, trainer.state())  # last: what is resumed has its row of history
        if on_epoch is not None:
            on_epoch(epoch)

    seen = Seen.of(_people(manifest, rows.training), salt=manifest.as_input().sha256)
    facts = _facts(trainer, preprocess, fold, seen)
    header = Header("checkpoint", manifest.space, (*manifest.header.history, record), facts)
    learner.load_state_dict(trainer.best)
    write_checkpoint(output, model.state_dict(), header)  # whole, also if only its head has learnt
    left_over.unlink(missing_ok=True)
    return output


def _refuse_to_lose(left_over: Path, *, resume: bool, force: bool) -> None:
    """Raise if an interrupted training would be thrown away unasked."""
    if left_over.exists() and not (resume or force):
        raise MaskkitError(
            f"{left_over} holds an interrupted training",
            why="starting anew would throw it away",
            fix="use --resume to go on from it, or --force to start anew",
        )


def _resolved(options: TrainOptions, begun: Path | None) -> TrainOptions:
    """Settle `auto`: as in the run that has begun, if there is one; a CPU's precision may need a trial first.

    Args:
        options: As given.
        begun: What an earlier part of the same run left, a resume file or a checkpoint.
    """
    device = resolve_device(options.device)
    precision: Precision = resolve_precision(options.precision, device)
    if options.precision == "auto" and begun is not None:
        # Another trial might choose otherwise, and the run would not be the one that began.
        earlier = begun_with(begun) if begun.suffix == RESUME else Checkpoint.read(begun).header.history[-1]
        precision = earlier.options.get("precision", precision)
    elif options.precision == "auto" and device.type == "cpu" and precision == "bfloat16":
        precision = "auto"
    return replace(options, device=cast(Device, device.type), precision=precision)


def _tried(model: nn.Module, options: TrainOptions, photos: int, cache: Cache | None) -> Precision:
    if options.freeze:  # a single layer: there is nothing to gain
        return "float32"
    height, width = parse_size(options.size)
    work = Work(options.model, height, width, min(options.batch_size, photos))
    return choose_precision(model, work, folder=None if cache is None else cache.folder.parent)


@dataclass(frozen=True)
class _Rows:
    training: NDArray[np.int64]
    held_out: NDArray[np.int64]


def _rows(manifest: Manifest, fold: int, *, allow_leak: bool) -> _Rows:
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
    both = np.intersect1d(manifest.people.codes[training], manifest.people.codes[held_out])
    if len(both):
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
    return _Rows(training, held_out)


def _people(manifest: Manifest, rows: NDArray[np.int64]) -> list[str]:
    return [manifest.people.names[code] for code in np.unique(manifest.people.codes[rows])]


def _record(
    manifest: Manifest, fold: int, options: TrainOptions, root: str | None, allow_leak: bool
) -> Record:
    inputs = [manifest.header.input_from(manifest.as_input())]
    if options.weights not in (None, PACKAGE):
        source = Source.open(options.weights)
        inputs.append(Input(options.weights, source.sha256, option="weights"))
    settings = {"fold": fold, **options.to_json(), "root": root, "allow_leak": allow_leak}
    return Record("train", settings, tuple(inputs))


def _check_finished(output: Path, record: Record) -> None:
    changed = differences(Checkpoint.read(output).header.history[-1], record)
    if changed:
        raise MaskkitError(
            f"{output} was trained with other settings: {'; '.join(changed)}",
            why="--resume goes on with the same training, and this one is finished",
            fix=f"see `maskkit show {output} --history`; use --force to train anew, or another -o",
        )
    log.info("%s is trained already", output)


def _model(manifest: Manifest, options: TrainOptions) -> tuple[nn.Module, Preprocess]:
    height, width = parse_size(options.size)
    torch.manual_seed(options.seed)  # the classifier's first weights
    model = build(
        options.model,
        classes=len(manifest.space),
        pretrained=options.pretrained,
        drop_rate=options.dropout,
        drop_path=options.drop_path,
    )
    _check_size(model, options.model, height, width)
    if options.weights is not None:
        for message in load_weights(model, options.weights):
            log.info("%s", message)
    crop = crop_to_train(manifest, options.margin)
    preprocess = Preprocess(height, width, **preprocessing_of(model), crop=crop)
    if options.mean is not None:
        preprocess = replace(preprocess, mean=parse_channels(options.mean, "mean"))
    if options.std is not None:
        preprocess = replace(preprocess, std=parse_channels(options.std, "std"))
    return model, preprocess


def _fold(manifest: Manifest, rows: _Rows, photos: Photos, options: TrainOptions) -> Fold:
    return Fold(
        space=manifest.space,
        inputs=photos,
        target=manifest.integers("target"),
        weight=manifest.table["weight"].to_numpy(),
        label=manifest.labels,
        training=rows.training,
        held_out=rows.held_out,
        vary=augmentation(options.augment),
    )


def _check_size(model: nn.Module, name: str, height: int, width: int) -> None:
    """Show the model one empty photo: many a transformer takes a single size."""
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, height, width))
    except Exception as error:  # each architecture has its own way to fail
        raise MaskkitError(
            f"{name} cannot take photos of {height}x{width}",
            why=(str(error) or repr(error)).splitlines()[0],
            fix="use --size {}x{}, which it was made for".format(*input_size_of(model)),
        ) from error


def _facts(trainer: Trainer, preprocess: Preprocess, fold: int, seen: Seen) -> dict[str, Any]:
    best = trainer.best_epoch
    return checkpoint_facts(
        model=trainer.options.model,
        preprocess=preprocess,
        precision=trainer.precision,
        fold=fold,
        epoch=best.epoch,
        scores={**best.scores, "loss": best.held_out_loss},
        seen=seen,
    )
