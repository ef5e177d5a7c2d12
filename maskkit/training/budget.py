"""Which training fits into a time, by how long its parts take: arithmetic alone, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from math import ceil
from typing import Any

import numpy as np

from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.options.values import as_duration, parse_size

RESERVE = 0.06  # share of a budget that no plan counts on
WORTH_A_WORD = 0.1  # share of a budget by which it may be missed in silence
STEP = 5  # seconds: a budget that is advised is a multiple
NOT_OF_A_PACE = ("epochs", "learning_rate")  # which change neither a step nor what comes before


@dataclass(frozen=True)
class Pace:
    """How long the parts of a training take, in seconds by the clock."""

    ready: float  # to decode the photos, or to show them to a frozen backbone, where that is still to do
    cold: float  # the same if it was to do for every photo
    start: float  # of each fold, beside the photos
    epoch: float  # with scoring and saving

    def seconds(self, epochs: int, folds: int) -> float:
        """Return how long folds take, one after another; photos are made ready once."""
        return self.ready + folds * (self.start + epochs * self.epoch)


@dataclass(frozen=True)
class Forecast:
    """A training, and how long it is going to take."""

    options: TrainOptions
    pace: Pace
    seconds: float  # of all folds


@dataclass
class Paces:
    """The paces that were measured, and what follows for other sizes."""

    measured: dict[tuple[Any, ...], Pace] = field(default_factory=dict)

    def is_measured(self, options: TrainOptions) -> bool:
        """Whether that very training's pace is known."""
        return _kind(options) in self.measured

    def note(self, options: TrainOptions, pace: Pace) -> None:
        """Take note of a pace that was measured."""
        self.measured[_kind(options)] = pace

    def of(self, options: TrainOptions) -> Pace:
        """Return the pace of a training, by those of other sizes if need be; one at least is known."""
        if (known := self.measured.get(_kind(options))) is not None:
            return known
        size, group = _kind(options)
        alike = {pixels: pace for (pixels, others), pace in self.measured.items() if others == group}
        return between(size, alike)


def group_of(options: TrainOptions) -> tuple[Any, ...]:
    """Return what trainings have in common whose paces follow from each other: all but size and length."""
    given = options.to_json().items()
    return tuple(value for name, value in given if name not in (*NOT_OF_A_PACE, "size"))


def pixels_of(options: TrainOptions) -> int:
    """Return the pixels of a photo as the model sees it."""
    height, width = parse_size(options.one("size").name)
    return height * width


def _kind(options: TrainOptions) -> tuple[int, tuple[Any, ...]]:
    return pixels_of(options), group_of(options)


def between(pixels: int, known: Mapping[int, Pace]) -> Pace:
    """Return a pace by those of other sizes: linear between two, in proportion above the largest.

    That is rather too long than too short, as parts of a training do not grow with the photos. No photo
    counts as decoded: whether it is, was not looked at.
    """
    sizes = sorted(known)
    parts = np.array([astuple(known[size]) for size in sizes])  # (sizes, fields)
    scale = max(1.0, pixels / sizes[-1])
    _, cold, start, epoch = (scale * float(np.interp(pixels, sizes, part)) for part in parts.T)
    return Pace(cold, cold, start, epoch)


def choose(
    candidates: Sequence[TrainOptions],
    pace_of: Callable[[TrainOptions], Pace],
    *,
    seconds: float,
    spent: float = 0.0,
    folds: int = 1,
) -> Forecast:
    """Return the first of the candidates, best first, that ends in time with a reserve.

    Args:
        candidates: Trainings to choose among.
        pace_of: How long the parts of each take.
        seconds: The budget of all folds together.
        spent: What has passed of it.
        folds: How many are trained, one after another.

    Raises:
        MaskkitError: None does; it says which budget would do for the quickest.
    """
    paces = [pace_of(one) for one in candidates]
    forecasts = [
        Forecast(one, pace, pace.seconds(one.epochs, folds))
        for one, pace in zip(candidates, paces, strict=True)
    ]
    usable = (1 - RESERVE) * seconds - spent
    for one in forecasts:
        if one.seconds <= usable:
            return one
    least = min(forecasts, key=lambda one: one.seconds)
    needed = ceil((spent + least.seconds) / (1 - RESERVE) / STEP) * STEP + STEP
    several = f" of {folds} folds" if folds > 1 else ""
    raise MaskkitError(
        f"no training{several} ends in {as_duration(seconds)} here",
        why=f"the shortest, {in_words(least.options)}, takes {as_duration(least.seconds)}, after "
        f"{as_duration(spent)} for reading and measuring",
        fix=f"use --budget {as_duration(needed)}, or show fewer photos per epoch, as --undersample and "
        "`--sampler shuffle:length=1000` do",
    )


def overrun(budget: float, *, passed: float, epoch: float, left: int, later: Sequence[float] = ()) -> float:
    """Return by how many seconds a budget will be missed, 0 for none that is worth a word.

    Args:
        budget: Seconds of all folds together.
        passed: Seconds since they began.
        epoch: Seconds of an epoch, as it is now.
        left: Epochs that are still to come.
        later: What else is, in seconds.
    """
    too_long = passed + left * epoch + sum(later) - budget
    return too_long if too_long > WORTH_A_WORD * budget else 0.0


def in_words(options: TrainOptions) -> str:
    """Say how long a training is, and of what size."""
    epochs = "1 epoch" if options.epochs == 1 else f"{options.epochs} epochs"
    return f"{epochs} of {options.one('size').name}"
