"""Measure how fast this machine decodes, varies, loads and learns from photos, and what limits training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from maskkit.artifacts.manifest import Manifest
from maskkit.dry_run import work_begins
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import Inputs, Order, batches, shuffled
from maskkit.imaging.kept_photos import opened
from maskkit.imaging.photos import Photos, find_photos
from maskkit.labels import LabelSpace
from maskkit.modeling.device import now
from maskkit.modeling.precision_trial import GAIN, Rates, Work, photos_per_second
from maskkit.options.train_options import NONE, Precision, TrainOptions
from maskkit.progress import Item, shown_by, track
from maskkit.training.fold import Fold
from maskkit.training.lone_photos import refuse_lone_photos, takes_batches_of
from maskkit.training.setup import settled
from maskkit.training.starting_model import precision_of, pretrained
from maskkit.training.trainer import Trainer

PHOTOS = 4096  # at most so many are looked at
ROWS = 50_000  # of an epoch that no measurement comes to the end of
WARM_UP = 2  # batches that are not counted: memory is asked for, kernels are chosen
ENOUGH = 0.95  # of the best rate: what is closer to the options given, or costs less, is preferred then


@dataclass(frozen=True)
class Speed:
    """How many photos per second a part of training takes, with no other part running."""

    part: str  # `precision`, `decode`, `augment`, `load`, `step`, or `train` for all of them
    setting: str  # in words
    number: int  # threads that prepare photos, or photos per step: what the setting varies
    photos_per_second: float  # by the clock


@dataclass(frozen=True)
class Bench:
    """What was measured, and what follows."""

    speeds: tuple[Speed, ...]  # in the order of the pipeline
    limit: str  # what limits training, in a sentence
    workers: int  # threads to use
    batch_size: int  # photos per step to use
    precision: Precision = "auto"  # another than what `auto` chooses if that is faster

    @property
    def options(self) -> str:
        """The options of `maskkit train` to use."""
        precision = "" if self.precision == "auto" else f" --precision {self.precision}"
        return f"--workers {self.workers} --batch-size {self.batch_size}{precision}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        use: dict[str, Any] = {"workers": self.workers, "batch_size": self.batch_size}
        if self.precision != "auto":
            use["precision"] = self.precision
        return {"speeds": [asdict(speed) for speed in self.speeds], "limit": self.limit, "use": use}


def bench(manifest: Manifest, *, options: TrainOptions | None = None, seconds: float = 2.0) -> Bench:
    """Measure each part of training by itself, then all together, for `seconds` each.

    The first few thousand photos are used, and need no labels; of the options, the model, photo size,
    augmentation, batch size, device and precision. Where a precision of `auto` is decided by the model's
    layers, both are timed, and the other is advised if it is faster here.
    """
    part = manifest.select(np.arange(min(len(manifest), PHOTOS)))
    options = settled(replace(options or TrainOptions(), weights=NONE))  # no weights are slower than others
    model, preprocess = pretrained(part, options)
    refuse_lone_photos(model, options, photos=ROWS, size=(preprocess.height, preprocess.width))
    photos = find_photos(part, preprocess)
    work_begins()
    rates: Rates = {}
    if options.precision == "auto":
        options = replace(options, precision=precision_of(model, options))
        rates = photos_per_second(model, Work(preprocess.height, preprocess.width, options.batch_size))
    kept = opened(photos)
    measure = _Measure(options, seconds, part.space, model)
    plan = [*_loading(measure, photos, kept), *_training(measure, kept)]
    speeds = [Speed(*what, number, rate()) for what, number, rate in track(plan, len(plan), "measurements")]
    speeds = [Speed("precision", name, options.batch_size, rate) for name, rate in rates.items()] + speeds
    return replace(_conclusion(speeds, options), precision=_advised(rates, options.precision))


def _advised(rates: Rates, chosen: Precision) -> Precision:
    """Return the precision that is clearly faster than the one that `auto` has chosen, or else `auto`."""
    rate = next((rate for name, rate in rates.items() if name == chosen), 0.0)
    return next((name for name, other in rates.items() if other > GAIN * rate), "auto")


@dataclass(frozen=True)
class _Measure:
    options: TrainOptions
    seconds: float
    space: LabelSpace
    model: nn.Module

    def loading(self, inputs: Inputs, workers: int, *, vary: bool = True) -> float:
        """Return photos per second into batches that nobody uses."""
        rows = np.resize(np.arange(len(inputs)), ROWS)
        augment = augmentation(self.options.chosen("augment")) if vary else None
        order = Order(rows) if augment is None else shuffled(rows, seed=0, epoch=0, augment=augment)
        watch = _Watch(self.seconds)
        size = self.options.batch_size
        for _ in watch(batches(inputs, order, batch_size=size, workers=workers), 0, ""):
            pass
        return watch.rate

    def training(self, inputs: Inputs, *, workers: int, batch_size: int, vary: bool = True) -> float:
        """Return photos per second that a model learns from."""
        options = replace(self.options, workers=workers, batch_size=batch_size)
        rows = np.arange(len(inputs))
        fold = Fold(
            space=self.space,
            inputs=inputs,
            target=rows % len(self.space),
            numbers=np.empty((len(rows), 0), np.float32),
            people=rows,
            weight=np.ones(len(rows), np.float32),
            label=np.zeros(len(rows), np.int64),
            training=np.resize(rows, ROWS),
            held_out=rows[:0],
            vary=augmentation(options.chosen("augment")) if vary else None,
        )
        watch = _Watch(self.seconds)
        trainer = Trainer(deepcopy(self.model), fold, options)
        with shown_by(watch):
            trainer.train(1)
        return watch.rate


class _Watch:
    """Watches work for `shown_by`: ends it after some time, and knows how fast it went."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.photos, self.passed = seconds, 0, 0.0

    def __call__(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:  # noqa: ARG002
        """Pass batches through, the first few uncounted."""
        start = now()
        for number, item in enumerate(items):
            if number == WARM_UP:
                start = now()
            yield item
            if number >= WARM_UP:
                self.photos += len(item[0])  # type: ignore[index]
                if time.perf_counter() - start > self.seconds:
                    break
        self.passed = now() - start  # a GPU may be steps behind

    @property
    def rate(self) -> float:
        """Photos per second."""
        return self.photos / self.passed


# A part and its setting, the number that it varies, and what measures its rate.
_Planned = tuple[tuple[str, str], int, Callable[[], float]]


def _loading(measure: _Measure, photos: Photos, kept: Photos) -> Iterator[_Planned]:
    options, counts = measure.options, _worker_counts()
    for number in sorted({0, counts[-1]}):
        rate = partial(measure.loading, photos, number, vary=False)
        yield ("decode", f"{_origin(photos)}, {_threads(number)}"), number, rate
    few = photos.take(np.resize(np.arange(len(photos)), options.batch_size))
    in_memory = Photos.of_pixels(few, photos.preprocess, count=PHOTOS)
    yield ("augment", f"{options.augment}, no threads"), 0, partial(measure.loading, in_memory, 0)
    for number in counts:
        rate = partial(measure.loading, kept, number)
        yield ("load", f"{_origin(kept)}, {_threads(number)}"), number, rate


def _training(measure: _Measure, kept: Photos) -> Iterator[_Planned]:
    given, preprocess, random = measure.options.batch_size, kept.preprocess, np.random.default_rng(0)
    sizes = sorted({max(2, given // 2), given, given * 2})
    for size in (size for size in sizes if takes_batches_of(measure.model, measure.options, size, kept.size)):
        pixels = random.integers(0, 256, (size, preprocess.height, preprocess.width, 3), np.uint8)
        in_memory = Photos.of_pixels(pixels, preprocess, count=PHOTOS)
        rate = partial(measure.training, in_memory, workers=0, batch_size=size, vary=False)
        yield ("step", f"{measure.options.precision}, batches of {size}"), size, rate
    for number in _worker_counts():
        rate = partial(measure.training, kept, workers=number, batch_size=given)
        yield ("train", f"{_origin(kept)}, {_threads(number)}, batches of {given}"), number, rate


def _conclusion(speeds: list[Speed], options: TrainOptions) -> Bench:
    by_part = {part: [one for one in speeds if one.part == part] for part in ("load", "step", "train")}
    workers = _preferred(by_part["train"], lambda number: number)
    size = _preferred(by_part["step"], lambda number: abs(number - options.batch_size))
    load = max(one.photos_per_second for one in by_part["load"])
    step = next(one.photos_per_second for one in by_part["step"] if one.number == options.batch_size)
    limit = f"the model limits training: photos could come {load / step:.1f} times as fast as it learns"
    if step >= load:
        times = f"{step / load:.1f} times"
        limit = f"the photos limit training: the model could learn {times} as fast as they come"
    return Bench(tuple(speeds), limit, workers, size)


def _preferred(speeds: list[Speed], cost: Callable[[int], int]) -> int:
    """Return the cheapest setting that is nearly as fast as the fastest."""
    best = max(one.photos_per_second for one in speeds)
    return min((one.number for one in speeds if one.photos_per_second >= ENOUGH * best), key=cost)


def _worker_counts() -> list[int]:
    """Return 0, 1, 2, 4, ... up to the processors that this process may use."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [0, *(2**power for power in range(10) if 2**power <= processors)]


def _origin(photos: Photos) -> str:
    return "cached" if photos.cached is not None else "from files"


def _threads(workers: int) -> str:
    return "1 thread" if workers == 1 else f"{workers or 'no'} threads"
