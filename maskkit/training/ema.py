"""An exponential moving average of the weights, which is what gets scored and saved."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """A copy of a model that follows it, a little after each step.

    Batch-norm statistics are averaged along with the weights: averaged weights behind the last
    step's statistics would be a network that never existed.

    Args:
        followed: The model, where it will be trained; the copy starts from its weights.
        decay: Share of the average that stays at each step, once it is warm.
    """

    def __init__(self, followed: nn.Module, *, decay: float) -> None:
        self.model = deepcopy(followed).requires_grad_(False)
        self.decay, self.updates = decay, 0
        pairs = list(zip(_tensors(self.model), _tensors(followed), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]  # batch norm's counters

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the model that is followed."""
        share = 1 - warm_decay(self.decay, self.updates)
        mine, its = ([pair[side] for pair in self._averaged] for side in (0, 1))
        # Private, but what torch's swa_utils calls: a seventh of the time of one call per tensor. And
        # counting updates here spares a GPU the wait that AveragedModel has for each tensor.
        torch._foreach_lerp_(mine, its, share)
        for copy, original in self._copied:
            copy.copy_(original)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.updates = state["updates"]
        self.model.load_state_dict(state["model"])


def warm_decay(decay: float, updates: int) -> float:
    """Return the decay after so many updates: small at first, so that the start is soon forgotten.

    As in TensorFlow's ExponentialMovingAverage with `num_updates`: min(decay, (1 + n) / (10 + n)).
    """
    return min(decay, (1 + updates) / (10 + updates))


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
