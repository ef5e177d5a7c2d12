"""Averages of the weights over a training: what is scored and saved in place of the last step's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from maskkit.options.choices import Choice

Batches = Callable[[], Iterable[Tensor]]  # of images, (N, 3, H, W), on the model's device


class Average(Protocol):
    """What follows a model while it is trained."""

    @property
    def model(self) -> nn.Module:
        """What is scored and saved."""

    def after_step(self) -> None:
        """Take note of a step of the optimizer."""

    def after_epoch(self, number: int, epochs: int, batches: Batches) -> None:
        """Take note of the end of an epoch, before it is scored.

        Args:
            number: Of the epoch, from 1.
            epochs: Of the whole run.
            batches: Gives the training photos once more. It is called only where batch norm needs them; under
                autocast, call all of this under autocast.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


class NoAverage:
    """No average: the model itself is scored and saved.

    Args:
        followed: The model.
    """

    def __init__(self, followed: nn.Module) -> None:
        self.model = followed

    def after_step(self) -> None:
        """Do nothing."""

    def after_epoch(self, number: int, epochs: int, batches: Batches) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the model's weights are kept by the one who trains it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""


class Ema:
    """An exponential moving average: a copy of a model that follows it, a little after each step.

    Batch-norm statistics are averaged along with the weights: averaged weights behind the last
    step's statistics would be a network that never existed.

    Args:
        followed: The model, where it will be trained; the copy starts from its weights.
        decay: Share of the average that stays at each step, once it is warm.
    """

    def __init__(self, followed: nn.Module, *, decay: float = 0.99) -> None:
        self.model = deepcopy(followed).requires_grad_(False)
        self.decay, self.updates = decay, 0
        pairs = list(zip(_tensors(self.model), _tensors(followed), strict=True))
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]  # batch norm's counters

    @torch.no_grad()
    def after_step(self) -> None:
        """Move towards the model that is followed."""
        _move(self._averaged, 1 - warm_decay(self.decay, self.updates))
        _copy(self._copied)
        self.updates += 1

    def after_epoch(self, number: int, epochs: int, batches: Batches) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.updates = state["updates"]
        self.model.load_state_dict(state["model"])


class Swa:
    """Stochastic weight averaging: the plain mean of the weights at the ends of the last epochs.

    Izmailov et al. 2018, algorithm 1 with a cycle of one epoch, https://arxiv.org/abs/1803.05407. Until it
    begins, the model itself is scored. From then on, each epoch ends with a pass over the training photos,
    which measures the statistics of batch norm for the averaged weights.

    Args:
        followed: The model, where it will be trained.
        start: Share of the epochs after which the first weights are taken; 0.75 of 4 epochs is from the end
            of the third on.
    """

    def __init__(self, followed: nn.Module, *, start: float = 0.75) -> None:
        self.start, self.taken = start, 0
        self._followed, self._mean = followed, deepcopy(followed).requires_grad_(False)
        self._averaged = list(zip(self._mean.parameters(), followed.parameters(), strict=True))
        self._copied = list(zip(self._mean.buffers(), followed.buffers(), strict=True))

    @property
    def model(self) -> nn.Module:
        """The mean, once there is one."""
        return self._mean if self.taken else self._followed

    def after_step(self) -> None:
        """Do nothing."""

    @torch.no_grad()
    def after_epoch(self, number: int, epochs: int, batches: Batches) -> None:
        """Take the model's weights into the mean, if it is time."""
        if number / epochs >= self.start:
            _move(self._averaged, 1 / (self.taken + 1))
            _copy(self._copied)
            self.taken += 1
            measure_batch_norm(self._mean, batches)

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"taken": self.taken, "model": self._mean.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.taken = state["taken"]
        self._mean.load_state_dict(state["model"])


def warm_decay(decay: float, updates: int) -> float:
    """Return the decay after so many updates: small at first, so that the start is soon forgotten.

    As in TensorFlow's ExponentialMovingAverage with `num_updates`: min(decay, (1 + n) / (10 + n)).
    """
    return min(decay, (1 + updates) / (10 + updates))


@torch.no_grad()
def measure_batch_norm(model: nn.Module, batches: Batches) -> None:
    """Set the statistics of batch norm to the mean of those of some batches, as torch's `update_bn` does.

    Unlike there, nothing but batch norm is in training mode: what it measures is the network that will be
    scored, without dropout, and no random number is drawn.

    Args:
        model: Each module is left in the mode it is in. Without batch norm, nothing is done.
        batches: Called once, for images.
    """
    norms = [
        module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    modes, momenta = [module.training for module in model.modules()], [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # every batch counts the same
    try:
        for images in batches():
            model(images)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in zip(model.modules(), modes, strict=True):
            module.training = mode


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _move(pairs: list[tuple[Any, Any]], share: float) -> None:
    """Move the first of each pair towards the second, by a share of the way."""
    mine, its = ([pair[side] for pair in pairs] for side in (0, 1))
    # Private, but what torch's swa_utils calls: a seventh of the time of one call per tensor. And
    # counting updates here spares a GPU the wait that AveragedModel has for each tensor.
    torch._foreach_lerp_(mine, its, share)


def _copy(pairs: list[tuple[Any, Any]]) -> None:
    for copy, original in pairs:
        copy.copy_(original)


def averaging(followed: nn.Module, choice: Choice) -> Average:
    """Return the chosen average of a model, which is where it will be trained."""
    return AVERAGES[choice.name](followed, **choice.settings)


AVERAGES: dict[str, Callable[..., Average]] = {"none": NoAverage, "ema": Ema, "swa": Swa}
