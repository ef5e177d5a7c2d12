"""Which head a training gets where `--head` leaves that open, as `auto`."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.constructor import typed
from maskkit.modeling.ending import another_model, model_name, only_last_layer
from maskkit.options.model_settings import for_constructor
from maskkit.options.techniques import ModelSettings
from maskkit.options.train_options import AUTO, TrainOptions
from maskkit.options.values import parse_size

log = logging.getLogger(__name__)

BEST, ANY_MODEL = "factors", "joint"  # settled in examples/README.md; that of timm, which every model has


def settle_head(options: TrainOptions) -> TrainOptions:
    """Name the head that `auto` takes: one per factor, or timm's own where the model can have no other.

    The latter is logged. So a record of the options says what was learnt.

    Raises:
        MaskkitError: There is no such model, or it cannot be made with its settings.
    """
    if options.head != AUTO:
        return options
    model = _without_weights(options)
    why = _why_no_other(model, parse_size(options.one("size").name))
    if why is None:
        return replace(options, head=BEST)
    log.warning(
        "%s can only be trained with --head %s: %s; for a head per factor, which scores better, %s",
        model_name(model), ANY_MODEL, why, another_model(model),
    )  # fmt: skip
    return replace(options, head=ANY_MODEL)


def _why_no_other(model: nn.Module, size: tuple[int, int]) -> str | None:
    """Say why a model can have no other head than timm's; None if it can, as far as this shows."""
    try:
        only_last_layer(model, size=size)
    except MaskkitError as error:
        return error.why
    except Exception:  # it takes no photos of this size, which is said when it is built, or needs values
        return None
    return None


def _without_weights(options: TrainOptions) -> nn.Module:
    """Build the model without memory for its weights, which takes well below a second."""
    model = options.one("model")
    with torch.device("meta"):
        return build(
            model.name, classes=2, pool=model.part(ModelSettings).pool,
            settings=typed(model.name, for_constructor(model)),
        )  # fmt: skip
