"""Batches of photos, decoded by worker processes, in an order that a seed alone decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.decode import load

Pixels = NDArray[np.uint8]  # (height, width, 3)
Augment = Callable[[Pixels, int], Pixels]
Draw = tuple[int, int]  # a row, and the seed of its augmentation
Item = tuple[int, Pixels]
Batch = tuple[Tensor, Tensor]


class Photos(Dataset["Item | MaskkitError"]):
    """Decode photos at the model's size, and vary them if told how.

    Args:
        paths: One image file per row.
        preprocess: The size and filter of the resize.
        augment: None to show every photo as it is, as scoring and prediction do.
    """

    def __init__(self, paths: Sequence[Path], preprocess: Preprocess, augment: Augment | None = None) -> None:
        self.paths, self.preprocess, self.augment = paths, preprocess, augment

    def __getitem__(self, draw: Draw) -> Item | MaskkitError:
        """Return a row and its pixels, or why there are none: torch would mangle an error of a worker."""
        row, seed = draw
        try:
            pixels = load(self.paths[row], self.preprocess)
        except MaskkitError as error:
            return error
        return row, pixels if self.augment is None else self.augment(pixels, seed)


def shuffled(rows: NDArray[np.int64], *, seed: int, epoch: int) -> list[Draw]:
    """Return every row once, in random order, each with a seed of its own for this epoch."""
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(rows)
    seeds = random.integers(0, 2**31, len(rows))
    return list(zip(order.tolist(), seeds.tolist(), strict=True))


def in_order(rows: NDArray[np.int64]) -> list[Draw]:
    """Return every row once, as given."""
    return [(row, 0) for row in rows.tolist()]


def batches(
    photos: Photos, draws: Sequence[Draw], *, batch_size: int, workers: int, pin_memory: bool = False
) -> Iterator[Batch]:
    """Yield rows, int64 (N,), and pixels, uint8 (N, height, width, 3).

    Batches differ by at most one photo, so that no rump batch upsets batch norm or is worth dropping.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    count = batch_count(len(draws), batch_size)
    if not count:
        return
    bounds = [len(draws) * index // count for index in range(count + 1)]
    loader = DataLoader(
        photos,
        batch_sampler=[list(draws[start:end]) for start, end in pairwise(bounds)],
        num_workers=min(workers, count),
        collate_fn=_collate,
        worker_init_fn=_single_threaded,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # its own, so that loading draws nothing from the model's randomness
    )
    for batch in loader:
        if isinstance(batch, MaskkitError):
            raise batch
        yield batch


def batch_count(rows: int, batch_size: int) -> int:
    """Return how many batches `rows` photos make."""
    return -(-rows // batch_size)


def _collate(items: list[Item | MaskkitError]) -> Batch | MaskkitError:
    found: list[Item] = []
    for item in items:
        if isinstance(item, MaskkitError):
            return item
        found.append(item)
    rows, pixels = zip(*found, strict=True)
    return torch.tensor(rows), torch.from_numpy(np.stack(pixels))


def _single_threaded(worker: int) -> None:  # noqa: ARG001 - the signature is the DataLoader's
    """Keep OpenCV from starting a thread per core in each of several processes."""
    import cv2

    cv2.setNumThreads(0)
