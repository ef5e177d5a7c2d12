"""A training on a few photos, by the clock: how long the parts of the whole one are going to take."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.dry_run import counted_as_check
from maskkit.engines.threads import on_all_cores
from maskkit.errors import MaskkitError
from maskkit.imaging.kept_photos import lacking
from maskkit.imaging.photos import Photos, find_photos
from maskkit.modeling.device import now
from maskkit.options.train_options import TrainOptions
from maskkit.progress import Item, shown_by
from maskkit.training.budget import Pace
from maskkit.training.features import BATCH, FEATURES
from maskkit.training.feed import photos_per_epoch
from maskkit.training.fold import Fold
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import Start, settled, start
from maskkit.training.starting_model import feature_maker
from maskkit.training.trainer import Trainer

HELD_OUT, FEWEST = 64, 2  # photos that are scored, to tell what each takes from what any number takes
FEWEST_STEPS, MOST_STEPS = 3, 8  # with the first, which plans kernels and is not counted
EPOCHS = 1000  # so many that no average begins, and no schedule ends, within the steps that are made


def rehearse(rows: FoldRows, options: TrainOptions, *, seconds: float) -> Pace:
    """Return how long the parts of a training take, after making a few steps for about so many seconds.

    Photos come from their files, and none is written to the cache, so that a rehearsal finds what another
    one found. What samples photos makes no difference to a step; of what freezes a part of the model for a
    while, the later and longer steps are measured.

    Raises:
        MaskkitError: As `train`, before its first step and in its first ones.
    """
    begun = time.perf_counter()
    clock = _Stopwatch(begun + seconds)
    with _unsaid(), shown_by(clock), counted_as_check():
        ready = start(_few(rows, options.batch_size), settled(_simplified(options)))
        of_start = time.perf_counter() - begun - sum(clock.lasted(FEATURES))
        if ready.trainable is not ready.model:
            each = median(clock.lasted(FEATURES)[-1:]) / BATCH
        elif rows.manifest.photos.cache is not None:
            ready, each = _decoded(ready)
        else:
            each = 0.0  # they are decoded in every step
        photos = photos_per_epoch(Fold.of(rows, ready.fold.inputs), options)
        of_epoch = _epoch(ready, clock, photos=photos, held_out=len(rows.held_out))
        to_do = _to_do(ready, rows)
    return Pace(each * to_do, each * len(rows.manifest), of_start, of_epoch)


def _simplified(options: TrainOptions) -> TrainOptions:
    """Return the options without what changes no step, or only the first ones."""
    freeze = options.freeze if options.one("freeze").name == "all" else "none"
    return replace(
        options, freeze=freeze, sampler="shuffle", undersample=None, oversample=None, epochs=EPOCHS
    )  # fmt: skip


def _few(rows: FoldRows, count: int) -> FoldRows:
    """Return so many of the rows trained on, some of those held out, and no cache."""
    training, held_out = _spread(rows.training, count), _spread(rows.held_out, HELD_OUT)
    places = np.arange(len(training) + len(held_out))
    unlabeled = rows.unlabeled
    if unlabeled is not None:
        unlabeled = _uncached(unlabeled.select(_spread(np.arange(len(unlabeled)), count)))
    return replace(
        rows,
        manifest=_uncached(rows.manifest.select(np.concatenate([training, held_out]))),
        training=places[: len(training)],
        held_out=places[len(training) :],
        unlabeled=unlabeled,
    )


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), count)).astype(np.int64)]


def _uncached(manifest: Manifest) -> Manifest:
    return replace(manifest, photos=replace(manifest.photos, cache=None))


def _decoded(ready: Start) -> tuple[Start, float]:
    """Return the same with its photos in memory, and the seconds that decoding each took."""
    photos, begun = ready.photos, time.perf_counter()
    with on_all_cores(photos.load, range(len(photos))) as loaded:
        pixels = np.stack(list(loaded))
    each = (time.perf_counter() - begun) / len(photos)
    return replace(ready, fold=replace(ready.fold, inputs=Photos.of_pixels(pixels, photos.preprocess))), each


def _to_do(ready: Start, rows: FoldRows) -> int:
    """Return of how many photos the pixels, or the features of a frozen backbone, are not in the cache."""
    photos = find_photos(rows.manifest, ready.photos.preprocess)
    try:
        if ready.trainable is ready.model:
            return lacking(photos)
        return feature_maker(ready.model, photos, ready.options).lacking(photos)
    except (OSError, MaskkitError):  # the training will say it, and name every photo that cannot be read
        return len(photos)


def _epoch(ready: Start, clock: _Stopwatch, *, photos: int, held_out: int) -> float:
    """Return the seconds of an epoch of so many photos, with so many held out, its scoring and saving."""
    size, few = ready.options.batch_size, ready.fold.held_out
    fold = replace(ready.fold, training=np.resize(ready.fold.training, size * MOST_STEPS))
    trainer = Trainer(ready.trainable, fold, ready.options)
    trainer.train(1)
    step = median(clock.lasted("epoch 1")[1:])
    of_any = each = 0.0
    if held_out:
        trainer.fold = replace(fold, held_out=few[:FEWEST])
        of_any = clock.time(trainer.score)
        trainer.fold = fold
        each = max(0.0, clock.time(trainer.score) - of_any) / max(1, len(few) - FEWEST)
    saving = clock.time(lambda: torch.save(trainer.state(), io.BytesIO()))
    return step * photos / size + of_any + each * held_out + saving


@dataclass
class _Stopwatch:
    """Watches work for `shown_by`: when each of its parts began, and that steps end in time."""

    until: float
    begun: dict[str, list[float]] = field(default_factory=dict)  # and when the last part ended

    def __call__(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:  # noqa: ARG002
        """Pass items through; of steps at least the fewest, and no more once the time is over."""
        begun = self.begun.setdefault(what, [])
        for item in items:
            begun.append(now())
            yield item
            if what.startswith("epoch") and len(begun) >= FEWEST_STEPS and now() > self.until:
                break
        begun.append(now())

    def lasted(self, what: str) -> list[float]:
        """Return the seconds that each part of some work took."""
        return [after - before for before, after in pairwise(self.begun.get(what, []))]

    def time(self, work: Callable[[], object]) -> float:
        """Return the seconds that some work takes."""
        begun = now()
        work()
        return now() - begun


@contextmanager
def _unsaid() -> Iterator[None]:
    """Say nothing: the training itself will."""
    log = logging.getLogger("maskkit")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
