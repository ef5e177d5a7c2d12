"""What a training needs before its first step: options settled, a model with its heads, photos, a fold."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Input
from maskkit.artifacts.manifest import Manifest
from maskkit.dry_run import is_dry, work_begins
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import TwoViews
from maskkit.imaging.cropping import crop_to_train
from maskkit.imaging.photos import Photos, find_photos
from maskkit.imaging.roots import photo_folder
from maskkit.modeling.backbone import build, preprocessing_of
from maskkit.modeling.constructor import typed
from maskkit.modeling.device import prepare, resolve_device, resolve_precision
from maskkit.modeling.ending import begin_at_zero
from maskkit.modeling.heads import attach, timm_dropout
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.hub import is_downloaded
from maskkit.modeling.hub_layout import locate
from maskkit.modeling.norms import synchronise
from maskkit.modeling.photo_size import check_size
from maskkit.modeling.precision_rule import precision_for
from maskkit.modeling.starting_head import settle_head
from maskkit.modeling.starting_weights import settle_weights
from maskkit.modeling.unfolding import has_folded_norms, measure_norms
from maskkit.modeling.weights import load_weights, refuse_non_finite
from maskkit.options.choices import parse_sum
from maskkit.options.model_settings import DROP_RATE, for_constructor
from maskkit.options.techniques import (
    AUGMENTATIONS,
    AUXILIARY,
    ModelSettings,
    SizeSettings,
    StrongView,
    UnlabeledShare,
)
from maskkit.options.train_options import HUB, NONE, WORDS, Device, Precision, TrainOptions, parse_teacher
from maskkit.options.values import parse_normalize, parse_size
from maskkit.processes.team import ALONE, Alone
from maskkit.progress import track
from maskkit.training.decoding import decoded
from maskkit.training.distilling import taught
from maskkit.training.divided import refuse_undivided, refuse_unlike
from maskkit.training.features import BATCH, DrawnView, FeatureMaker, features_by
from maskkit.training.feed import photos_per_epoch
from maskkit.training.fold import Fold, Unlabeled, numbers_of
from maskkit.training.fold_rows import FoldRows
from maskkit.training.lone_photos import refuse_lone_photos
from maskkit.training.optimizers import check_optimizer
from maskkit.training.smote import need_smote, with_synthetic
from maskkit.training.trainer import Trainer

log = logging.getLogger(__name__)

MEASURED = 512  # photos, at most, that batch norms without statistics are measured on


@dataclass(frozen=True)
class Start:
    """A model and what it is to learn, ready for a `Trainer`."""

    model: nn.Module  # the whole
    trainable: nn.Module  # what learns: the same, or only its head
    photos: Photos  # all, as the whole model takes them
    fold: Fold
    options: TrainOptions  # with nothing left at `auto`


def settled(options: TrainOptions, *, begun: Mapping[str, object] | None = None) -> TrainOptions:
    """Decide the weights, the head, the device, and the precision unless the model's layers have to.

    `begun` are the options of a run that is gone on with, if there is one.

    Raises:
        MaskkitError: There is no such device, precision or optimizer, a package that is needed is missing, or
            there are no weights of the model to start from.
    """
    check_optimizer(options.one("optimizer").name)
    if options.one("sampler").name == "smote":
        need_smote()
    device = resolve_device(options.device)
    precision: Precision = resolve_precision(options.precision, device)
    if options.precision == "auto" and device.type == "cpu" and precision == "bfloat16":
        precision = "auto"
    options = settle_head(settle_weights(options, begun=begun))
    return replace(options, device=cast(Device, device.type), precision=precision)


def inputs_of(rows: FoldRows, options: TrainOptions) -> tuple[Input, ...]:
    """Return the files that a training reads, but for photos, as its record names them.

    Raises:
        MaskkitError: The weights cannot be read.
    """
    read = [rows.manifest.header.input_from(rows.manifest.as_input())]
    if options.weights not in WORDS:
        found = locate(options.weights)
        files = [found.path] if found.config is None else [found.path, found.config]
        read += [Input(str(file), Source.open(file).sha256, option="weights") for file in files]
    if rows.unlabeled is not None:
        more = rows.unlabeled.header.input_from(rows.unlabeled.as_input())
        read += [replace(more, option="unlabeled")]
    if rows.teacher is not None:
        answers = rows.teacher.header.input_from(rows.teacher.as_input())
        read += [replace(answers, option="teacher")]
    return tuple(read)


def start(rows: FoldRows, options: TrainOptions, *, team: Alone = ALONE) -> Start:
    """Build the model, decode the photos, and put the fold together, by options as from `settled`.

    All that can be refused without a decoded photo comes before the first is. Processes of a team decode, and
    compute features of, what belongs to their host; the weights are the first one's.

    Raises:
        MaskkitError: There is no such model, level or photo, or they do not fit each other; or unlabelled
            photos are named but not given.
    """
    manifest = rows.manifest
    heads = options.chosen("head")
    for level in options.levels:  # one that does not exist is found out before anything is loaded
        manifest.space.place_of(level.factor, level.level)
    _refuse_half_given(rows, options)
    photo_folder(manifest)  # a wrong root is better found now than after weights were loaded
    model, preprocess = pretrained(manifest, options)
    photos = find_photos(manifest, preprocess)
    fold = _fold_of(rows, photos, options)
    many = photos_per_epoch(fold, options)
    refuse_undivided(options, photos=many)
    if options.one("freeze").name != "all":  # whose features are computed in evaluation mode
        refuse_lone_photos(model, options, photos=many, size=photos.size)
    if options.precision == "auto":
        options = replace(options, precision=precision_of(model, options))
    known = None
    if any(head.name in AUXILIARY for head in heads):
        known = Numbers.of(torch.from_numpy(numbers_of(manifest)[rows.training]), manifest.space)
    attach(model, heads, manifest.space, numbers=known, size=photos.size)
    if rows.unlabeled is not None:
        fold = replace(fold, unlabeled=_unlabeled(rows.unlabeled, preprocess, options))
    ready = Start(model, model, photos, fold, options)
    if options.one("freeze").name == "all":
        maker = feature_maker(model, photos, options)
        _refuse_untrainable(ready, maker.backbone.head)
        return _with_features(ready, maker, team)
    is_measured = options.weights != NONE and has_folded_norms(model)
    _refuse_untrainable(ready, deepcopy(model) if is_measured else model)
    ready = _decoded(ready, team)
    if is_measured:
        _measure_norms(model, ready.photos, fold.training, torch.device(options.device))
    if team.world > 1:
        refuse_unlike(model, team)
        if options.batch_norm == "synchronised":
            synchronise(model)
    return ready


def _refuse_untrainable(ready: Start, trainable: nn.Module) -> None:
    """Raise of what the trainer refuses, which is better found now than after the photos were decoded.

    The model is moved to where it will be trained, as it will be anyway.
    """
    Trainer(trainable, ready.fold, ready.options)


def _decoded(ready: Start, team: Alone) -> Start:
    """Return it with its photos decoded, those of this host."""
    work_begins()
    inputs, fold = decoded(ready.photos, ready.fold, batch_size=ready.options.batch_size, team=team)
    return replace(ready, photos=inputs, fold=fold)


def _with_features(ready: Start, maker: FeatureMaker, team: Alone) -> Start:
    """Return it with features in the place of photos, of which the head learns alone."""
    if team.world > 1:
        work_begins()
        refuse_unlike(ready.model, team)
        features = features_by(team, maker, ready.photos)
    else:
        ready = _decoded(ready, team)
        features = maker.features_of(ready.photos)
    fold = replace(ready.fold, inputs=features, vary=DrawnView(maker.views))
    sampler = ready.options.one("sampler")
    if sampler.name == "smote":
        fold = with_synthetic(fold, neighbors=sampler.whole("neighbors"), seed=ready.options.seed)
    return replace(ready, trainable=maker.backbone.head, fold=fold)


def _refuse_half_given(rows: FoldRows, options: TrainOptions) -> None:
    for name, given in (("unlabeled", rows.unlabeled), ("teacher", rows.teacher)):
        if (given is None) != (getattr(options, name) is None):
            raise MaskkitError(
                f"the option `{name}` is {getattr(options, name)}, and what it names is "
                f"{'not ' if given is None else ''}given",
                why="the option is what is recorded, and what is given is learnt from",
                fix="give both or none",
            )


def _fold_of(rows: FoldRows, photos: Photos, options: TrainOptions) -> Fold:
    """Return what is learnt from, varied and taught as chosen."""
    fold = Fold.of(rows, photos).varied(options.chosen("augment"), options.rare)
    return fold if options.teacher is None else taught(fold, rows, parse_teacher(options.teacher))


def feature_maker(model: nn.Module, photos: Photos, options: TrainOptions) -> FeatureMaker:
    """Return what shows photos to the frozen backbone of a whole model, with its head."""
    return FeatureMaker.of(
        model, photos, built=options.one("model"), device=torch.device(options.device),
        augment=options.augment, dropout=_dropout(options),
    )  # fmt: skip


def _measure_norms(model: nn.Module, photos: Photos, rows: NDArray[np.int64], device: torch.device) -> None:
    """Give batch norms of a converted graph the statistics of some of the photos trained on, not varied."""
    few = rows[np.linspace(0, len(rows) - 1, min(len(rows), MEASURED)).astype(np.int64)]
    parts = [few[start : start + BATCH] for start in range(0, len(few), BATCH)]
    measure_norms(
        prepare(model, "float32", device),
        (
            photos.prepare(torch.from_numpy(photos.take(part)), device)
            for part in track(parts, len(few), "measuring batch norms", size=len)
        ),
    )
    log.info(
        "the batch norms of these weights have no statistics, as those of a converted graph: measured on "
        "%d photos, which changes no answer of the model", len(few),
    )  # fmt: skip


def _unlabeled(manifest: Manifest, preprocess: Preprocess, options: TrainOptions) -> Unlabeled:
    """Return photos without labels, prepared and weakly varied as those that are trained on."""
    how = options.one("consistency")
    strong = parse_sum(how.part(StrongView).strong, AUGMENTATIONS, option="the strong view of --consistency")
    smoothing = min(float(loss.settings.get("smoothing", 0.0)) for loss in options.chosen("loss"))
    highest = 1 - smoothing + smoothing / len(manifest.space)
    if how.number("threshold") >= highest:  # even a perfect model would be below: few photos would count
        log.warning(
            "--consistency %s learns from answers of %g and more, but --loss %s smooths its targets to %.3g, "
            "and few answers go beyond that: lower the threshold, or use --loss ce",
            how.name, how.number("threshold"), options.loss, highest,
        )  # fmt: skip
    photos = find_photos(manifest, preprocess)
    return Unlabeled(photos, TwoViews(options.chosen("augment"), strong), how.part(UnlabeledShare).ratio)


def pretrained(manifest: Manifest, options: TrainOptions) -> tuple[nn.Module, Preprocess]:
    """Return the model with a plain head, and how photos are prepared for it.

    Raises:
        MaskkitError: There is no such model, it cannot take photos of that size, or weights do not fit it.
    """
    name, size = options.one("model"), options.one("size")
    own, settings = name.part(ModelSettings), typed(name.name, for_constructor(name))
    height, width = parse_size(size.name)
    torch.manual_seed(options.seed)  # the first weights of what is not pretrained
    model = build(
        name.name, classes=len(manifest.space), pretrained=options.weights == HUB,
        drop_rate=_dropout(options), drop_path=own.drop_path, pool=own.pool,
        settings=settings,
    )  # fmt: skip
    begin_at_zero(model)
    check_size(model, name, settings, (height, width), classes=len(manifest.space))
    crop = crop_to_train(manifest, size.part(SizeSettings).margin)
    timms = Preprocess(height, width, **preprocessing_of(model), crop=crop)
    for message in _begin_with(options.weights, model, name.name):
        log.info("%s", message)
    preprocess = replace(timms, **preprocessing_of(model))
    if options.normalize is not None:
        mean, std = parse_normalize(options.normalize)
        preprocess = replace(preprocess, mean=mean, std=std)
    elif preprocess != timms:
        log.info(
            "photos are prepared as for these weights: mean %s, deviation %s, %s",
            preprocess.mean, preprocess.std, preprocess.interpolation,
        )  # fmt: skip
    return model, preprocess


def _begin_with(weights: str, model: nn.Module, name: str) -> list[str]:
    """Load the weights that a training starts from, unless timm has; return what is to be said of them."""
    if weights == NONE:
        return [f"{name} starts from random weights"]
    if weights == HUB:
        if is_dry() and not is_downloaded(name):
            return []  # random ones stand for them
        refuse_non_finite(model.state_dict(), model, source=name)
        return [f"took the weights of {name} from timm's hub"]
    return load_weights(model, weights)


def _dropout(options: TrainOptions) -> float:
    """Return the share of features that timm drops before its classifier, or what stands in its place."""
    rate = options.one("model").settings.get(DROP_RATE)
    return timm_dropout(options.chosen("head")) if rate is None else float(rate)


def precision_of(model: nn.Module, options: TrainOptions) -> Precision:
    """Return the precision that suits the layers, on a processor that computes in bfloat16."""
    if options.one("freeze").name == "all":  # a single layer: there is nothing to gain
        return "float32"
    return precision_for(model, parse_size(options.one("size").name))
