"""The model that a training starts from: built, given its weights, and what follows from its layers."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.dry_run import is_dry
from maskkit.imaging.cropping import crop_to_train
from maskkit.imaging.photos import Photos
from maskkit.modeling.backbone import build, preprocessing_of
from maskkit.modeling.constructor import typed
from maskkit.modeling.device import prepare
from maskkit.modeling.ending import begin_at_zero
from maskkit.modeling.heads import timm_dropout
from maskkit.modeling.hub import is_downloaded
from maskkit.modeling.photo_size import check_size
from maskkit.modeling.precision_rule import precision_for
from maskkit.modeling.unfolding import measure_norms
from maskkit.modeling.weights import load_weights, refuse_non_finite
from maskkit.options.model_settings import DROP_RATE, for_constructor
from maskkit.options.techniques import ModelSettings, SizeSettings
from maskkit.options.train_options import HUB, NONE, Precision, TrainOptions
from maskkit.options.values import parse_normalize, parse_size
from maskkit.progress import track
from maskkit.training.features import BATCH, FeatureMaker

log = logging.getLogger(__name__)

MEASURED = 512  # photos, at most, that batch norms without statistics are measured on


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


def feature_maker(model: nn.Module, photos: Photos, options: TrainOptions) -> FeatureMaker:
    """Return what shows photos to the frozen backbone of a whole model, with its head."""
    return FeatureMaker.of(
        model, photos, built=options.one("model"), device=torch.device(options.device),
        augment=options.augment, dropout=_dropout(options),
    )  # fmt: skip


def measure_folded_norms(
    model: nn.Module, photos: Photos, rows: NDArray[np.int64], device: torch.device
) -> None:
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
