"""Batches of photos in an order that a seed alone decides, made ready by threads while the model works.

Threads rather than processes: decoding and augmentation run in libraries that let go of the
interpreter's lock, and what they make need not travel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

READY = 2  # batches per thread that may wait for the model

Batch = tuple[Tensor, Tensor]
Part = slice | NDArray[np.int64]  # of an order: from one place to another, or places
Rows = NDArray[np.int64]  # of a manifest, (photos,); what is drawn with replacement may be there twice
Values = NDArray[Any]  # (N, ...): pixels, or what a frozen backbone made of them


class Inputs(Protocol):
    """What a model learns from: photos, or the features of photos."""

    def __len__(self) -> int: ...

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of photos; None for features."""

    def take(self, rows: Rows) -> Values:
        """Return these rows, (N, ...)."""

    def prepare(self, batch: Tensor, device: torch.device) -> Tensor:
        """Return a batch as the model takes it, on its device."""


Drawn = NDArray[Any]  # (photos, ...): what an augmentation drew for each


class Augment(Protocol):
    """A way to vary photos: first everything random is drawn, then it is done.

    What is drawn for one photo can be joined with what is drawn for others, and divided again.
    """

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Return the random numbers for the photos of these rows of the manifest, one row each."""

    def __call__(self, values: Any, drawn: Drawn, /) -> Values:
        """Return the photos varied, (N, ...)."""


@dataclass(frozen=True)
class Order:
    """Which photos come when, and how each is varied; scoring and prediction see photos as they are.

    What is drawn depends neither on the number of threads nor on whether the run was interrupted.
    """

    rows: Rows  # (photos,)
    vary: Augment | None = None
    drawn: Drawn | None = None  # (photos, ...)

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, inputs: Inputs, part: Part) -> Values:
        """Return one part of the order."""
        values = inputs.take(self.rows[part])
        if self.vary is None or self.drawn is None:
            return values
        return self.vary(values, self.drawn[part])


def varied(rows: Rows, vary: Augment | None, random: np.random.Generator) -> Order:
    """Return the rows as given, varied by what is drawn anew; also a photo that comes twice."""
    return Order(rows) if vary is None else Order(rows, vary, vary.draw(rows, random))


def shuffled(rows: Rows, *, seed: int, epoch: int, augment: Augment | None = None) -> Order:
    """Return every row once, in random order, varied anew in each epoch."""
    random = np.random.default_rng((seed, epoch))
    return varied(random.permutation(rows), augment, random)


def batches(
    inputs: Inputs,
    order: Order,
    *,
    batch_size: int,
    workers: int,
    pin_memory: bool = False,
    parts: Sequence[Part] | None = None,
) -> Iterator[Batch]:
    """Yield rows, int64 (N,), and their values: of photos pixels, uint8 (N, height, width, 3).

    Batches differ by at most one photo, so that no rump batch upsets batch norm or is worth dropping. So many
    threads prepare the next ones; with 0 each is prepared when it is wanted. Pinned memory is ready for an
    asynchronous copy to a GPU. With `parts`, such as some of `even_parts`, only these are made.
    """

    def make(part: Part) -> Batch:
        values = torch.from_numpy(order.values(inputs, part))
        return torch.from_numpy(order.rows[part]), values.pin_memory() if pin_memory else values

    yield from _ahead(make, even_parts(len(order), batch_size) if parts is None else parts, workers)


def even_parts(rows: int, batch_size: int, *, times: int = 1) -> list[slice]:
    """Divide `rows` photos into batches that differ by at most one photo.

    With `times` so many photos take the place of each: an order of `rows * times` photos comes in as many
    batches, each exactly so many times as large.
    """
    count = batch_count(rows, batch_size)
    bounds = [rows * index // max(1, count) * times for index in range(count + 1)]
    return [slice(*ends) for ends in pairwise(bounds)]


def batch_count(rows: int, batch_size: int) -> int:
    """Return how many batches `rows` photos make, none of one photo if a batch may have more.

    So an odd number of photos in batches of two has one of three.
    """
    count = -(-rows // batch_size)
    return count - 1 if batch_size > 1 and rows < 2 * count and count > 1 else count


def _ahead(make: Callable[[Part], Batch], parts: Sequence[Part], workers: int) -> Iterator[Batch]:
    """Yield `make` of each part in order, a few parts ahead of what is wanted."""
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
