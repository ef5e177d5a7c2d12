"""What a training needs before its first step: options settled, a model with its heads, photos, a fold."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Input
from maskkit.artifacts.manifest import Manifest
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import TwoViews
from maskkit.imaging.photos import Photos, find_photos
from maskkit.imaging.roots import photo_folder
from maskkit.modeling.device import resolve_device, resolve_precision
from maskkit.modeling.heads import attach
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.hub_layout import locate
from maskkit.modeling.norms import synchronise
from maskkit.modeling.starting_head import settle_head
from maskkit.modeling.starting_weights import settle_weights
from maskkit.modeling.unfolding import has_folded_norms
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import (
    AUGMENTATIONS,
    AUXILIARY,
    StrongView,
    UnlabeledShare,
)
from maskkit.options.train_options import NONE, WORDS, Device, Precision, TrainOptions, parse_teacher
from maskkit.processes.team import ALONE, Alone
from maskkit.training.decoding import decoded
from maskkit.training.distilling import taught
from maskkit.training.divided import refuse_undivided, refuse_unlike
from maskkit.training.features import DrawnView, FeatureMaker, features_by
from maskkit.training.feed import photos_per_epoch
from maskkit.training.fold import Fold, Unlabeled, numbers_of
from maskkit.training.fold_rows import FoldRows
from maskkit.training.lone_photos import refuse_lone_photos
from maskkit.training.optimizers import check_optimizer
from maskkit.training.smote import need_smote, with_synthetic
from maskkit.training.starting_model import feature_maker, measure_folded_norms, precision_of, pretrained
from maskkit.training.trainer import Trainer

log = logging.getLogger(__name__)


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
        measure_folded_norms(model, ready.photos, fold.training, torch.device(options.device))
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
