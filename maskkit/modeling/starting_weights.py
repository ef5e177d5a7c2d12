"""Which weights a training starts from where `--weights` leaves that open: `auto`, and the tag of `hub`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import timm

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import check_name
from maskkit.modeling.hub_layout import locate
from maskkit.modeling.packaged import is_installed, package_file
from maskkit.options.train_options import AUTO, CHOSEN, HUB, PACKAGE, WORDS, TrainOptions


def settle_weights(options: TrainOptions, *, begun: Mapping[str, object] | None = None) -> TrainOptions:
    """Name the weights that `auto` takes, and the tag of the hub's behind the model; nothing is fetched.

    So a record of the options says what the training began with, and it can be repeated where another
    package is installed, and by a timm whose default tag is another. `begun` are the options of a run that
    is gone on with: it keeps its weights.

    Raises:
        MaskkitError: There is no such model, file or installed package, or `auto` finds nothing.
    """
    model, weights = options.one("model"), options.weights
    begun = begun or {}
    if weights == AUTO and (known := begun.get("weights")):
        weights = str(known)
    elif weights == AUTO:
        weights = pretrained_for(model.name)
    name = model.name
    if weights == PACKAGE:
        package_file(name.partition(".")[0])
    elif weights not in WORDS:
        locate(weights)
    elif weights == HUB:
        name = _tagged(name, begun) if begun.get("weights") == HUB else with_tag(name)
    return replace(options, model=str(replace(model, name=name)), weights=weights)


def pretrained_for(name: str) -> str:
    """Return the word for the pretrained weights of a timm model that are at hand, or else those of the hub.

    A tag behind the name asks for the hub's.

    Raises:
        MaskkitError: There is no such model, or nobody has published weights of it.
    """
    check_name(name)
    if is_installed(name):
        return PACKAGE
    if timm.models.is_model_pretrained(name):
        return HUB
    raise MaskkitError(
        f"there are no pretrained weights of {name}",
        why="timm knows none, and no package carries any",
        fix="add --weights none to start from random ones, or give a file with --weights FILE",
    )


def with_tag(name: str) -> str:
    """Return the name of a timm model with the tag of its weights: that given, or timm's default."""
    check_name(name)
    config = timm.models.get_pretrained_cfg(name)
    return name if "." in name or config is None or not config.tag else f"{name}.{config.tag}"


def _tagged(name: str, begun: Mapping[str, object]) -> str:
    """Return the name with the tag that a run began with, if it was of this model."""
    before = CHOSEN["model"](str(begun.get("model")))[0].name
    return before if before.partition(".")[0] == name else with_tag(name)
