"""Batches of photos in an order that a seed alone decides, made ready by threads while the model works.

Threads rather than processes: decoding and augmentation run in libraries that let go of the
interpreter's lock, and what they make need not travel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.imaging.photos import Photos, Pixels

READY = 2  # batches per thread that may wait for the model

Batch = tuple[Tensor, Tensor]
Drawn = NDArray[Any]  # (photos, ...): what an augmentation drew for each


class Augment(Protocol):
    """A way to vary photos: first everything random is drawn, then it is done."""

    def draw(self, count: int, random: np.random.Generator) -> Drawn:
        """Return the random numbers for so many photos, one row each."""
        ...

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Return the photos varied, uint8 (N, height, width, 3); they may be changed in place."""
        ...


@dataclass(frozen=True)
class Order:
    """Which photos come when, and how each is varied.

    What is drawn depends neither on the number of threads nor on whether the run was interrupted.
    """

    rows: NDArray[np.int64]  # (photos,)
    vary: Callable[[Pixels, Drawn], Pixels] | None = None
    drawn: Drawn | None = None  # (photos, ...)

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, photos: Photos, part: slice) -> Pixels:
        """Return the photos of one part of the order."""
        pixels = photos.take(self.rows[part])
        if self.vary is None or self.drawn is None:
            return pixels
        return self.vary(pixels, self.drawn[part])


def shuffled(rows: NDArray[np.int64], *, seed: int, epoch: int, augment: Augment | None = None) -> Order:
    """Return every row once, in random order, varied anew in each epoch."""
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(rows)
    if augment is None:
        return Order(order)
    return Order(order, augment, augment.draw(len(order), random))


def in_order(rows: NDArray[np.int64]) -> Order:
    """Return every row once, as given and as it is: so scoring and prediction see photos."""
    return Order(rows)


def batches(
    photos: Photos, order: Order, *, batch_size: int, workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """Yield rows, int64 (N,), and pixels, uint8 (N, height, width, 3).

    Batches differ by at most one photo, so that no rump batch upsets batch norm or is worth dropping.

    Args:
        photos: Where pixels come from.
        order: Which, and how they are varied.
        batch_size: At most.
        workers: Threads that prepare the next batches; with 0 each is prepared when it is asked for.
        pin_memory: Make batches ready for an asynchronous copy to a GPU.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    count = batch_count(len(order), batch_size)
    bounds = [len(order) * index // max(1, count) for index in range(count + 1)]

    def make(part: slice) -> Batch:
        pixels = torch.from_numpy(order.pixels(photos, part))
        return torch.from_numpy(order.rows[part]), pixels.pin_memory() if pin_memory else pixels

    yield from _ahead(make, [slice(*ends) for ends in pairwise(bounds)], workers)


def batch_count(rows: int, batch_size: int) -> int:
    """Return how many batches `rows` photos make."""
    return -(-rows // batch_size)


def _ahead(make: Callable[[slice], Batch], parts: list[slice], workers: int) -> Iterator[Batch]:
    """Yield `make` of each part in order, a few parts ahead of whoever asks."""
    if not workers:
        yield from map(make, parts)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="photos")
    waiting: deque[Future[Batch]] = deque()
    try:
        for part in parts:
            waiting.append(pool.submit(make, part))
            if len(waiting) > READY * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
