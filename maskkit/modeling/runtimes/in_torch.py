"""Logits by torch itself, on any device."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from maskkit.modeling.precision import autocast


def in_torch(model: nn.Module, photos: Tensor) -> Callable[[str, str], Callable[[Tensor], Tensor]]:
    """Return what gives the forward of `model` in a precision; in bfloat16 with weights converted once.

    Autocast would convert the weights at each call and look at each operation. It is what remains for
    the models that make float32 tensors of their own in between.
    """

    def exactly(images: Tensor) -> Tensor:
        return _logits(model(images))

    def by_autocast(images: Tensor) -> Tensor:
        with autocast(photos.device, "bfloat16"):
            return _logits(model(images))

    def compiled(precision: str, load: str) -> Callable[[Tensor], Tensor]:  # noqa: ARG001 - any number will do
        if precision == "float32":
            return exactly
        half = deepcopy(model).to(torch.bfloat16)

        def converted(images: Tensor) -> Tensor:
            return _logits(half(images.to(torch.bfloat16)))

        try:
            with torch.inference_mode():
                converted(photos[:2])
        except RuntimeError:  # two types met in one operation
            return by_autocast
        return converted

    return compiled


def _logits(made: Tensor) -> Tensor:
    return made.float()
