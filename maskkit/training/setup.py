"""What a training needs before its first step: options settled, a model with its heads, photos, a fold."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Input, Record, merged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import read_header
from maskkit.cache.records import Cache
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import ByClass, augmentation
from maskkit.imaging.cropping import crop_to_train
from maskkit.imaging.photos import Photos, open_photos
from maskkit.modeling.backbone import begin_at_zero, build, input_size_of, preprocessing_of
from maskkit.modeling.device import resolve_device, resolve_precision
from maskkit.modeling.heads import attach, timm_dropout
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.precision_trial import Work, choose_precision
from maskkit.modeling.weights import load_weights
from maskkit.options.techniques import AUXILIARY
from maskkit.options.train_options import HUB, PACKAGE, Device, Precision, TrainOptions
from maskkit.options.values import parse_normalize, parse_size
from maskkit.training.features import freeze
from maskkit.training.fold import Fold
from maskkit.training.fold_rows import Rows
from maskkit.training.optimizers import check_optimizer
from maskkit.training.smote import need_smote, with_synthetic
from maskkit.training.unlabeled import open_unlabeled

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """A model and what it is to learn, ready for a `Trainer`.

    Args:
        model: The whole model.
        learner: What learns: the same, or only its head.
        photos: All photos, as the whole model takes them.
        fold: What is learnt from and scored.
        options: With nothing left at `auto`.
    """

    model: nn.Module
    learner: nn.Module
    photos: Photos
    fold: Fold
    options: TrainOptions


def settled(options: TrainOptions) -> TrainOptions:
    """Decide the device, and the precision unless a trial of the model has to.

    Raises:
        MaskkitError: There is no such device, precision or optimizer, or a package that is needed is missing.
    """
    check_optimizer(options.one("optimizer").name)
    if options.one("sampler").name == "smote":
        need_smote()
    device = resolve_device(options.device)
    precision: Precision = resolve_precision(options.precision, device)
    if options.precision == "auto" and device.type == "cpu" and precision == "bfloat16":
        precision = "auto"
    return replace(options, device=cast(Device, device.type), precision=precision)


def inputs_of(manifest: Manifest, options: TrainOptions) -> tuple[Input, ...]:
    """Return the files that a training reads, but for photos, as its record names them.

    Raises:
        MaskkitError: The weights or the unlabelled manifest cannot be read.
    """
    read = [manifest.header.input_from(manifest.as_input())]
    if options.weights not in (None, PACKAGE, HUB):
        read.append(Input(options.weights, Source.open(options.weights).sha256, option="weights"))
    if options.unlabeled is not None:
        source = Source.open(options.unlabeled)
        known = read_header(source, kind="manifest").input_from(source)
        read.append(replace(known, option="unlabeled"))
    return tuple(read)


def history_of(manifest: Manifest, unlabeled: Manifest | None) -> tuple[Record, ...]:
    """Return every stage run that led to what is trained on, that of unlabelled photos first."""
    return merged([() if unlabeled is None else unlabeled.header.history, manifest.header.history])


def start(
    manifest: Manifest,
    rows: Rows,
    options: TrainOptions,
    *,
    unlabeled: Manifest | None = None,
) -> Start:
    """Build the model, decode the photos, and put the fold together.

    Args:
        manifest: With labels.
        rows: To train on and to score.
        options: As from `settled`.
        unlabeled: Photos to learn from without labels, as from `read_unlabeled`.

    Raises:
        MaskkitError: There is no such model, level or photo, or they do not fit each other.
    """
    for level in options.levels:  # one that does not exist is found out before anything is loaded
        manifest.space.place_of(level.factor, level.level)
    numbers = _numbers(manifest)
    model, preprocess = pretrained(manifest, options)
    if options.precision == "auto":
        options = replace(options, precision=tried(model, options, len(rows.training), manifest.photos.cache))
    heads, known = options.chosen("head"), None
    if any(head.name in AUXILIARY for head in heads):
        known = Numbers.of(torch.from_numpy(numbers[rows.training]), manifest.space)
    attach(model, heads, manifest.space, numbers=known)
    photos = open_photos(manifest, preprocess)
    fold = _fold(manifest, rows, numbers, photos, options)
    if unlabeled is not None:
        more = open_unlabeled(unlabeled, preprocess, options)
        fold = replace(fold, unlabeled=more)
    if options.one("freeze").name != "all":
        return Start(model, model, photos, fold, options)
    learner, fold = freeze(model, fold, photos, options)
    sampler = options.one("sampler")
    if sampler.name == "smote":
        fold = with_synthetic(fold, neighbors=sampler.whole("neighbors"), seed=options.seed)
    return Start(model, learner, photos, fold, options)


def _numbers(manifest: Manifest) -> NDArray[np.float32]:
    """Return what numeric factors are cut from, (rows, factors), NaN where it is unknown."""
    names = [factor.name for factor in manifest.space.factors if factor.is_numeric]
    columns = [
        manifest.table[name].to_numpy().astype(np.float32)
        if manifest.has(name)
        else np.full(len(manifest), np.nan, np.float32)
        for name in names
    ]
    return np.stack(columns, axis=1) if columns else np.empty((len(manifest), 0), np.float32)


def _soft(manifest: Manifest) -> NDArray[np.float32] | None:
    """Return `target_probs`, (rows, classes), NaN where there are none; None if there are none at all."""
    if not manifest.has("target_probs"):
        return None
    column = manifest.table["target_probs"]
    if column.null_count == len(column):
        return None
    places = range(len(manifest.space))
    each = [pc.fill_null(pc.list_element(column, place), np.nan).to_numpy() for place in places]
    return np.ascontiguousarray(np.stack(each, axis=1))


def _fold(
    manifest: Manifest, rows: Rows, numbers: NDArray[np.float32], photos: Photos, options: TrainOptions
) -> Fold:
    fold = Fold(
        space=manifest.space,
        inputs=photos,
        target=manifest.integers("target"),
        numbers=numbers,
        people=manifest.known_people,
        weight=manifest.table["weight"].to_numpy(),
        label=manifest.labels,
        training=rows.training,
        held_out=rows.held_out,
        soft=_soft(manifest),
        vary=augmentation(options.chosen("augment")),
    )
    if options.rare is None:
        return fold
    level, policies = options.rare
    return replace(fold, vary=ByClass(fold.vary, augmentation(policies), fold.has_level(level)))


def pretrained(manifest: Manifest, options: TrainOptions) -> tuple[nn.Module, Preprocess]:
    """Return the model with a plain head, and how photos are prepared for it.

    Raises:
        MaskkitError: There is no such model, it cannot take photos of that size, or weights do not fit it.
    """
    name, size = options.one("model"), options.one("size")
    height, width = parse_size(size.name)
    torch.manual_seed(options.seed)  # the first weights of what is not pretrained
    model = build(
        name.name,
        classes=len(manifest.space),
        pretrained=options.weights == HUB,
        drop_rate=timm_dropout(options.chosen("head")),
        drop_path=name.number("drop_path"),
        pool=str(name.settings["pool"]),
    )
    begin_at_zero(model)
    _check_size(model, name.name, height, width)
    if options.weights not in (None, HUB):
        for message in load_weights(model, options.weights):
            log.info("%s", message)
    crop = crop_to_train(manifest, size.number("margin"))
    preprocess = Preprocess(height, width, **preprocessing_of(model), crop=crop)
    if options.normalize is not None:
        mean, std = parse_normalize(options.normalize)
        preprocess = replace(preprocess, mean=mean, std=std)
    return model, preprocess


def tried(model: nn.Module, options: TrainOptions, photos: int, cache: Cache | None) -> Precision:
    """Return the precision that a short trial finds fastest, for batches of at most so many photos."""
    if options.one("freeze").name == "all":  # a single layer: there is nothing to gain
        return "float32"
    height, width = parse_size(options.one("size").name)
    work = Work(options.one("model").name, height, width, min(options.batch_size, photos))
    return choose_precision(model, work, folder=None if cache is None else cache.folder.parent)


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
