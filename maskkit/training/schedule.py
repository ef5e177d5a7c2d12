"""The learning rate over a run, as a factor of each group's highest rate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import cos, inf, pi
from typing import Any

from torch.optim import Optimizer

from maskkit.options.choices import Choice
from maskkit.options.techniques import Stopping


def cosine(step: int, steps_per_epoch: int, epochs: int, *, warmup: float) -> float:
    """Rise linearly for `warmup` epochs, then fall along half a cosine to 0 at the end.

    From SGDR, Loshchilov & Hutter 2017, equation 5 without restarts, https://arxiv.org/abs/1608.03983.
    """
    steps, warmup_steps = steps_per_epoch * epochs, round(steps_per_epoch * warmup)
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    share = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.5 * (1 + cos(pi * min(share, 1.0)))


def constant(step: int, steps_per_epoch: int, epochs: int, *, warmup: float) -> float:  # noqa: ARG001
    """Rise linearly for `warmup` epochs to 1, and stay there.

    The warm-up of Goyal et al. 2017, section 2.2, https://arxiv.org/abs/1706.02677.
    """
    warmup_steps = round(steps_per_epoch * warmup)
    return (step + 1) / (warmup_steps + 1) if step < warmup_steps else 1.0


def onecycle(step: int, steps_per_epoch: int, epochs: int, *, rise: float, start: float, end: float) -> float:
    """Rise along half a cosine from `1 / start` to 1, and fall along another to `1 / start / end`.

    Smith & Topin 2018, section 3, https://arxiv.org/abs/1708.07120, in the form that fastai gave it and
    torch's OneCycleLR has: two phases along cosines instead of three along lines. Momentum is left alone.
    The last step of the run has the lowest rate.
    """
    first, last, top = 1 / start, 1 / start / end, rise * steps_per_epoch * epochs - 1
    if step <= top:
        return _along_cosine(first, 1.0, step / top if top else 1.0)
    # A rise of less than a step is none. There OneCycleLR begins above the fall, or divides by 0.
    top = max(top, 0.0)
    return _along_cosine(1.0, last, min((step - top) / max(1e-9, steps_per_epoch * epochs - 1 - top), 1.0))


def staircase(
    step: int, steps_per_epoch: int, epochs: int, *, warmup: float, every: int, factor: float
) -> float:
    """Rise linearly for `warmup` epochs; after every `every` epochs of the run, fall by `factor`."""
    drops = step // (every * steps_per_epoch)
    return constant(step, steps_per_epoch, epochs, warmup=warmup) * factor**drops


class Plateau:
    """Rises linearly, and is multiplied with `factor` whenever a score has not become better for a while.

    As torch's ReduceLROnPlateau with `mode="max"`, which has no warm-up: a score is better if it is higher by
    a ten-thousandth of the best, and the rate falls after the first epoch that is one too many for
    `patience`.
    """

    BETTER = 1 + 1e-4

    def __init__(
        self, steps_per_epoch: int, epochs: int, *, warmup: float, patience: int, factor: float
    ) -> None:
        self.warm = partial(constant, steps_per_epoch=steps_per_epoch, epochs=epochs, warmup=warmup)
        self.patience, self.factor = patience, factor
        self.best, self.waited, self.drops = -inf, 0, 0

    def __call__(self, step: int) -> float:
        """Return the factor after so many steps."""
        return self.warm(step) * self.factor**self.drops

    def observe(self, score: float) -> None:
        """Take note of the score of an epoch; higher is better."""
        if score > self.best * self.BETTER:
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        if self.waited > self.patience:
            self.drops, self.waited = self.drops + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"best": self.best, "waited": self.waited, "drops": self.drops}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.__dict__ |= state


class Schedule:
    """Moves the rates of an optimizer, each group's from the one that it has now, which is its highest.

    torch's LambdaLR gives the same rates to the last bit, but takes no score, and warns whenever float16
    skips the first step; timm's schedules warm up from one rate for all groups. The rates of the first step
    are set at once.
    """

    def __init__(self, optimizer: Optimizer, choice: Choice, *, steps_per_epoch: int, epochs: int) -> None:
        self.optimizer = optimizer
        own = choice.beside(Stopping)
        made = partial(SCHEDULES[choice.name], steps_per_epoch=steps_per_epoch, epochs=epochs, **own)
        self.plateau = made() if choice.name == "plateau" else None  # made once: it remembers scores
        self._factor_of: Callable[[int], float] = self.plateau or made
        self.total = steps_per_epoch * epochs
        self.highest = [float(group["lr"]) for group in optimizer.param_groups]
        self.steps = 0
        self._set_rates()

    @property
    def factor(self) -> float:
        """What every group's highest rate is multiplied with at the next step."""
        return self._factor_of(self.steps)

    @property
    def progress(self) -> float:
        """Share of the run's steps that are made, 0 to 1."""
        return self.steps / self.total

    @property
    def rate(self) -> float:
        """What the learning rate of the options has become: the backbone's, before layer-wise decay."""
        return float(self.optimizer.defaults["lr"]) * self.factor

    def step(self) -> None:
        """Go on to the rates of the next step."""
        self.steps += 1
        self._set_rates()

    def observe(self, score: float) -> None:
        """Take note of an epoch's held-out score, higher is better; of `plateau` it may lower the rates."""
        if self.plateau is not None:
            self.plateau.observe(score)
            self._set_rates()

    def state_dict(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"steps": self.steps, "plateau": self.plateau and self.plateau.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.steps = state["steps"]
        if self.plateau is not None:
            self.plateau.load_state_dict(state["plateau"])
        self._set_rates()

    def _set_rates(self) -> None:
        factor = self.factor
        for group, highest in zip(self.optimizer.param_groups, self.highest, strict=True):
            group["lr"] = highest * factor


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + cos(pi * share))


SCHEDULES: dict[str, Callable[..., Any]] = {
    "cosine": cosine,
    "onecycle": onecycle,
    "step": staircase,
    "plateau": Plateau,
    "constant": constant,
}
