"""An exponential moving average of the weights, which is what gets scored and saved."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(model: nn.Module, *, decay: float) -> AveragedModel:
    """Return a copy of the model that follows it; call `update_parameters(model)` after each step.

    Batch-norm statistics are averaged along with the weights: averaged weights behind the last
    step's statistics would be a network that never existed.
    """
    return AveragedModel(model, avg_fn=_warm(decay), use_buffers=True)


def warm_decay(decay: float, updates: int) -> float:
    """Return the decay after so many updates: small at first, so that the start is soon forgotten.

    As in TensorFlow's ExponentialMovingAverage with `num_updates`: min(decay, (1 + n) / (10 + n)).
    """
    return min(decay, (1 + updates) / (10 + updates))


def _warm(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    def average(old: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        if not old.is_floating_point():  # batch norm's counter
            return new
        return torch.lerp(old, new, 1 - warm_decay(decay, int(updates)))

    return average
