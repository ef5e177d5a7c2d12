"""Batch norms of a converted inference graph: they have no statistics of their own, and are given some.

A graph for inference has its batch norms folded into its convolutions (equation 8 of Krishnamoorthi 2018,
https://arxiv.org/abs/1806.08342). Converted to a model that has batch norms, these add a bias and do nothing
else in evaluation mode; in training mode they would normalise what the graph never did, and fine-tuning would
begin with another network than that of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

NEARLY = 2e-3  # from 1: so that with eps it is 1, a variance may be 1 - eps, and TensorFlow's eps is 0.001


def has_folded_norms(model: nn.Module) -> bool:
    """Whether all batch norms have a scale and a variance of 1 and a mean of 0, and any has a bias.

    So have those of a graph whose norms were folded. Those of a model that was never trained have no bias;
    those that have learnt have other statistics.
    """
    norms = _norms(model)
    return any(bool((norm.bias != 0).any()) for norm in norms) and all(_is_folded(norm) for norm in norms)


def measure_norms(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give batch norms the mean and the variance of what they see as statistics, in place.

    Their scales and biases change along, so that outputs in evaluation mode stay as they are, and those in
    training mode begin near them. As nothing changes in evaluation mode, one pass measures all of them.

    Args:
        model: A model in any mode, in which it stays.
        batches: Photos as the model takes them, float32 (N, 3, height, width) each, on its device.
    """
    seen = [_Seen(norm) for norm in _norms(model)]
    hooks = [one.norm.register_forward_pre_hook(one.add) for one in seen]
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            for images in batches:
                model(images)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    for one in seen:
        one.give()


@dataclass
class _Seen:
    """What a batch norm has seen, by the update of Chan, Golub and LeVeque 1983, which cancels no digits.

    https://doi.org/10.1080/00031305.1983.10483115
    """

    norm: _BatchNorm
    count: int = 0  # values per channel
    mean: Tensor | float = 0.0  # float64 (channels,)
    squares: Tensor | float = 0.0  # sum of squared distances from the mean, float64 (channels,)

    def add(self, _: nn.Module, given: tuple[Tensor]) -> None:
        """Add what the norm is given, float (N, channels, ...), as a hook of it."""
        values = given[0].movedim(1, -1).flatten(0, -2).float()  # (values, channels)
        mean = values.mean(0)
        variance = (values - mean).square_().mean(0)  # torch.var takes four times as long
        before, new = self.count, len(values)
        self.count = before + new
        step = mean.cpu().double() - self.mean
        self.mean = self.mean + step * (new / self.count)
        self.squares = (
            self.squares + variance.cpu().double() * new + step.square() * (before * new / self.count)
        )

    def give(self) -> None:
        """Set the norm's statistics, and scale and bias with them; nothing if it has seen nothing.

        With the gain g = scale / sqrt(variance + eps), g (x - mean) + bias is the same as
        g sqrt(v + eps) (x - m) / sqrt(v + eps) + bias + g (m - mean) for any m and v.
        """
        if not self.count:
            return
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, variance, scale, bias = (
            one.detach().cpu().double()
            for one in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        gain = scale / (variance + norm.eps).sqrt()
        new_mean, new_variance = torch.as_tensor(self.mean), torch.as_tensor(self.squares / self.count)
        with torch.no_grad():
            norm.running_mean.copy_(new_mean)
            norm.running_var.copy_(new_variance)
            norm.weight.copy_(gain * (new_variance + norm.eps).sqrt())
            norm.bias.copy_(bias + gain * (new_mean - mean))


def _norms(model: nn.Module) -> list[_BatchNorm]:
    """Return the batch norms that have statistics, a scale and a bias."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    return [norm for norm in norms if norm.affine and norm.running_mean is not None]


def _is_folded(norm: _BatchNorm) -> bool:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    is_one = all(bool(((one - 1).abs() <= NEARLY).all()) for one in (norm.weight, norm.running_var))
    return is_one and not bool(norm.running_mean.any())
