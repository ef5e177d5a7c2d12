"""torch.compile, with a message a person can act on where it cannot work."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from maskkit.errors import MaskkitError


def compiled(model: nn.Module, device: torch.device, *, backend: str = "inductor") -> nn.Module:
    """Return a compiled view of `model`: the same parameters, under which training steps run faster.

    The model itself, its state and its copies stay as they are; only calls of what is returned are compiled,
    each size of batch once.

    Args:
        model: In the layout and precision in which it will be called.
        device: Where it is.
        backend: One of torch's.

    Raises:
        MaskkitError: This machine cannot compile, most often for want of a C++ compiler.
    """
    # Sizes differ by one photo; code for any size would be slower than code for these two.
    try:
        probe = torch.compile(_probe, backend=backend, dynamic=False)
        probe(torch.ones(8, device=device))  # finds out in seconds, before anything has been decoded
    except Exception as error:  # torch has a class of its own for each of many ways to fail
        raise MaskkitError(
            "cannot compile the model",
            why=_reason(error),
            fix="install a C++ compiler (such as g++, with Python's headers), or leave --compile out",
        ) from error
    # Its annotation promises a callable, which for a module is a module.
    return cast(nn.Module, torch.compile(model, backend=backend, dynamic=False))


def _probe(values: torch.Tensor) -> torch.Tensor:
    return values.sin() + 1


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else repr(error)
