"""How a feature map becomes one number per channel: the average, the largest, or GeM in between.

GeM is generalised-mean pooling of Radenovic, Tolias and Chum 2018, https://arxiv.org/abs/1711.02512.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from timm.layers.adaptive_avgmax_pool import FastAdaptiveAvgPool, FastAdaptiveMaxPool, SelectAdaptivePool2d
from torch import Tensor, nn

from maskkit.errors import MaskkitError

DEFAULT = "default"  # whatever timm has made
SMALLEST = 1e-6  # activations below it, among them all negative ones, count as this much
START = 3.0  # of the exponent: the authors' choice, between 1 (average) and infinity (largest)


class GeM(nn.Module):
    """The generalised mean of each channel (equation 3), with one exponent for all that is learnt.

    It returns (N, C) if it is to `flatten`, else (N, C, 1, 1); `input_fmt` is timm's name for where
    channels are.
    """

    def __init__(self, flatten: bool = False, input_fmt: str = "NCHW") -> None:
        super().__init__()
        self.flatten, self.dims = flatten, (2, 3) if input_fmt == "NCHW" else (1, 2)
        self.p = nn.Parameter(torch.full((1,), START))

    def forward(self, features: Tensor) -> Tensor:
        """Return the means, in the type of the features but computed in float32."""
        values = features.float().clamp_min(SMALLEST)
        # Powers of shares of the largest cannot overflow. The mean grows in proportion to its values, so
        # that the largest cancels, in the gradient too.
        largest = values.detach().amax(self.dims, keepdim=True)
        p = self.p.float()
        mean = (values / largest).pow(p).mean(self.dims, keepdim=not self.flatten).pow(1 / p)
        return (mean * (largest.flatten(1) if self.flatten else largest)).to(features.dtype)


POOLS: dict[str, Callable[[bool, str], nn.Module]] = {
    "avg": FastAdaptiveAvgPool, "max": FastAdaptiveMaxPool, "gem": GeM,
}  # fmt: skip


def set_pool(model: nn.Module, pool: str) -> None:
    """Change how a timm model pools its last feature map, in place, to one of POOLS or "default".

    Raises:
        MaskkitError: It has no `SelectAdaptivePool2d`, as most of timm's convolutional models have.
    """
    if pool == DEFAULT:
        return
    name = _pool_name(model)
    if name is None:
        raise MaskkitError(
            f"{type(model).__name__} cannot pool by {pool}",
            why="its features are not pooled by one layer that timm can exchange, as those of transformers",
            fix="leave pool=default, or choose another --model",
        )
    place = model.get_submodule(name)
    old = place.pool
    # Where timm's fast pools are, they flatten by themselves, and know where channels are.
    is_last = getattr(old, "dim", None) == (1, 2)
    place.pool = POOLS[pool](getattr(old, "flatten", False) is True, "NHWC" if is_last else "NCHW")


def exponent_name(model: nn.Module) -> str | None:
    """Return the name in the state dict that GeM's exponent has, or would have; None without such a place."""
    name = _pool_name(model)
    return None if name is None else f"{name}.pool.p"


def _pool_name(model: nn.Module) -> str | None:
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, SelectAdaptivePool2d)
        and module.pool_type  # empty in the patches of hybrid transformers
        and "cat" not in module.pool_type  # one that gives twice as many features
    ]
    return names[0] if len(names) == 1 else None
