"""Whether a model takes photos of a size, and what to do if it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from maskkit.errors import MaskkitError, reason
from maskkit.modeling.backbone import build, input_size_of
from maskkit.modeling.constructor import IMG_SIZE, parameters
from maskkit.options.choices import Choice
from maskkit.options.model_settings import given_settings, settings_text

Size = tuple[int, int]  # height and width in pixels


def check_size(
    model: nn.Module, choice: Choice, settings: Mapping[str, Any], size: Size, *, classes: int
) -> None:
    """Show the model one empty photo: many a transformer takes a single size.

    The model was built by this choice, its constructor with these settings.

    Raises:
        MaskkitError: It cannot take the photo, or makes other than one logit per class of it.
    """
    try:
        with torch.no_grad():
            logits = model.eval()(torch.zeros(1, 3, *size))
    except Exception as error:  # each architecture has its own way to fail
        raise MaskkitError(
            f"{choice.name} cannot take photos of {_text(size)}",
            why=reason(error),
            fix=_fix(model, choice, settings, size),
        ) from error
    if logits.shape != (1, classes):
        raise MaskkitError(
            f"--model {choice.name} does not classify photos",
            why=f"of one photo it makes {_text(logits.shape)} numbers instead of 1x{classes}",
            fix=f"leave out what of {settings_text(settings)} does that"
            if settings
            else "choose another --model",
        )


def _fix(model: nn.Module, choice: Choice, settings: Mapping[str, Any], size: Size) -> str:
    """Name the options that would work, as tried: another size, or a model that is made for this one."""
    made_for = settings.get(IMG_SIZE, input_size_of(model))
    height, width = (made_for, made_for) if isinstance(made_for, int) else made_for
    fixes = []
    if _is_taken(choice.name, settings, (height, width)):
        fixes.append(f"use --size {height}x{width}, which it was made for")
    resized = {**settings, IMG_SIZE: list(size)}
    if IMG_SIZE in parameters(choice.name) and _is_taken(choice.name, resized, size):
        text = settings_text({**given_settings(choice), IMG_SIZE: size})
        fixes.append(f"make it for this size: --model {choice.name}:{text}")
    if fixes:
        return ", or ".join(fixes)
    return (
        f"change --size, or leave out {settings_text(settings)}"
        if settings
        else "choose another --size or --model"
    )


def _is_taken(name: str, settings: Mapping[str, Any], size: Size) -> bool:
    try:
        with torch.device("meta"), torch.no_grad():
            build(name, classes=2, settings=settings).eval()(torch.zeros(1, 3, *size))
    except Exception:  # as above, and what cannot be computed without values
        return False
    return True


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
