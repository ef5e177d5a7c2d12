"""Averages of the weights over a training: what is scored and saved in place of the last step's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self, cast

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn

from maskkit.options.choices import Choice
from maskkit.stopping import StopRequested


class NoAverage:
    """No average: the model itself, where it is trained, is scored and saved. Averages override methods."""

    _average: AveragedModel | None = None  # that torch keeps

    def __init__(self, followed: nn.Module) -> None:
        self.followed = followed

    @property
    def model(self) -> nn.Module:
        """What is scored and saved."""
        return self.followed

    def after_step(self) -> None:
        """Take note of a step of the optimizer."""

    def after_epoch(self, number: int, epochs: int, images: Iterable[Tensor]) -> None:
        """Take note of the end of an epoch, counted from 1, before it is scored.

        `images` are the training photos once more, (N, 3, H, W) each, on the model's device. They are
        iterated over only where batch norm needs them; under autocast, call all of this under autocast.
        If that is stopped by a StopRequested, nothing has been taken note of.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes, but for the model itself."""
        return {} if self._average is None else self._average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        if self._average is not None:
            self._average.load_state_dict(state)


class Ema(NoAverage):
    """An exponential moving average: a copy of a model that follows it, a little after each step.

    `decay` is the share of it that stays at each step, once it is warm. Batch-norm statistics are averaged
    along with the weights: averaged weights behind the last step's statistics would be a network that never
    existed.
    """

    _average: AveragedModel

    def __init__(self, followed: nn.Module, *, decay: float) -> None:
        super().__init__(followed)
        self.decay = decay
        self._average = AveragedModel(followed, multi_avg_fn=self._move, use_buffers=True)
        self._average.n_averaged += 1  # at 0 it would take the first step's weights whole
        self._average.requires_grad_(False)

    @property
    def model(self) -> nn.Module:
        """The average."""
        return self._average.module

    def after_step(self) -> None:
        """Move towards the model that is followed."""
        self._average.update_parameters(self.followed)

    def _move(self, mine: Any, its: Any, count: Any) -> None:
        if mine[0].is_floating_point():
            updates = int(self._average.n_averaged) - 1  # `count` is on the GPU, which would have to wait
            get_ema_multi_avg_fn(warm_decay(self.decay, updates))(mine, its, count)  # type: ignore[no-untyped-call]
        else:  # batch norm's counters, of which an average would be rounded down
            for copy, original in zip(mine, its, strict=True):
                copy.copy_(original)


class Swa(NoAverage):
    """Stochastic weight averaging: the plain mean of the weights at the ends of the last epochs.

    Izmailov et al. 2018, algorithm 1 with a cycle of one epoch, https://arxiv.org/abs/1803.05407. Until it
    begins, the model itself is scored. From then on, each epoch ends with a pass over the training photos,
    which measures the statistics of batch norm for the averaged weights. `start` is the share of the epochs
    after which the first weights are taken; 0.75 of 4 epochs is from the end of the third on.
    """

    _average: AveragedModel

    def __init__(self, followed: nn.Module, *, start: float) -> None:
        super().__init__(followed)
        self.start = start
        self._average = AveragedModel(followed, multi_avg_fn=get_swa_multi_avg_fn())  # type: ignore[no-untyped-call]
        self._average.requires_grad_(False)

    @property
    def model(self) -> nn.Module:
        """The mean, once there is one."""
        return self._average.module if self._average.n_averaged else self.followed

    def after_epoch(self, number: int, epochs: int, images: Iterable[Tensor]) -> None:
        """Take the model's weights into the mean, if it is time."""
        if number / epochs >= self.start:
            before = {name: tensor.clone() for name, tensor in self._average.state_dict().items()}
            try:
                self._average.update_parameters(self.followed)
                measure_batch_norm(self._average.module, images)
            except StopRequested:  # it has to take note of this epoch once more
                self._average.load_state_dict(before)
                raise


def warm_decay(decay: float, updates: int) -> float:
    """Return the decay after so many updates: small at first, so that the start is soon forgotten.

    As in TensorFlow's ExponentialMovingAverage, given the number of updates: min(decay, (1 + n) / (10 + n)).
    """
    return min(decay, (1 + updates) / (10 + updates))


def measure_batch_norm(model: nn.Module, images: Iterable[Tensor]) -> None:
    """Set the statistics of batch norm to the mean of those of batches, (N, 3, H, W); without it, do nothing.

    What is measured is the network that will be scored: without dropout, and no random number is drawn. The
    model is left in evaluation mode.
    """
    update_bn(images, OnlyNormsTrain(model).eval())


class OnlyNormsTrain(nn.Module):
    """A network in which nothing but batch norm takes training mode, when `train` puts it there."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> Self:
        """Let batch norm train or not, and all else evaluate."""
        super().train(False)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.training = mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return what the model does."""
        return cast(Tensor, self.model(images))


def averaging(followed: nn.Module, choice: Choice) -> NoAverage:
    """Return the chosen average of a model, which is where it will be trained."""
    return AVERAGES[choice.name](followed, **choice.settings)


AVERAGES: dict[str, Callable[..., NoAverage]] = {"none": NoAverage, "ema": Ema, "swa": Swa}
