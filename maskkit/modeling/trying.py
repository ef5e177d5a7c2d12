"""Showing photos to a model that is being trained, without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


@contextmanager
def without_trace(model: nn.Module) -> Iterator[Callable[[Tensor], Any]]:
    """Let a model be called, in any mode and without gradients; all that it changes is put back."""
    modes = {module: module.training for module in model.modules()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def call(images: Tensor) -> Any:
        return functional_call(model, buffers, (images,))

    try:
        with torch.random.fork_rng(), torch.no_grad():
            yield call
    finally:
        for module, mode in modes.items():
            module.training = mode
