"""What a network sees in each epoch: which photos, how they are varied and mixed, and towards what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.imaging.dataset import Inputs, Order, batch_count, batches, even_parts, varied
from maskkit.imaging.mixing import mixing
from maskkit.imaging.sampling import SAMPLERS, Oversample, Undersample, epoch_rows, shuffle
from maskkit.modeling.target import Target
from maskkit.options.train_options import TrainOptions
from maskkit.progress import track
from maskkit.training.fold import Fold, Unlabeled
from maskkit.training.unfinished import random_text, set_random_text

# Which tells the random numbers of mixing, and of unlabelled photos, from those of order and augmentation.
_MIXING, _UNLABELED = 1, 2

Views = tuple[Tensor, Tensor]  # a weak and a strong one of the same photos, (M, 3, H, W) each


@dataclass(frozen=True)
class Batch:
    """Photos, or features of photos, on the device of the model that learns from them."""

    images: Tensor  # as the network takes them, (N, 3, H, W) or (N, F)
    target: Target
    weight: Tensor  # (N,)
    views: Views | None = None  # of other photos, without labels; M is a multiple of N

    @property
    def shown(self) -> Tensor:
        """All that the network is shown at once, (N + 2 M, 3, H, W): the photos, weak views, strong views.

        So batch norm sees them together, as in the code of both papers (UDA, FixMatch); the statistics that
        it keeps for prediction would otherwise be those of whatever came last.
        """
        return self.images if self.views is None else torch.cat([self.images, *self.views])

    def parts(self, count: int) -> Iterator[Batch]:
        """Yield the batch in up to `count` parts of nearly the same size."""
        size, views = len(self.weight), self.views
        for start, end in pairwise(size * index // count for index in range(count + 1)):
            if end > start:
                part = slice(start, end)
                if self.views is not None:
                    times = len(self.views[0]) // size
                    weak, strong = (view[start * times : end * times] for view in self.views)
                    views = weak, strong
                yield Batch(self.images[part], self.target[part], self.weight[part], views)


def drawing(fold: Fold, options: TrainOptions) -> Callable[[np.random.Generator], NDArray[np.int64]]:
    """Return what draws the rows of an epoch in their order, (photos,), with repeats if sampled so."""
    sampler = options.one("sampler")
    return partial(
        epoch_rows,
        fold.training,
        classes=fold.target,
        people=fold.people,
        undersampled=[Undersample(fold.has_level(level), count) for level, count in options.undersampled],
        oversampled=[Oversample(fold.has_level(level), times) for level, times in options.oversampled],
        sampler=partial(SAMPLERS[sampler.name], **sampler.settings),
    )


def photos_per_epoch(fold: Fold, options: TrainOptions) -> int:
    """Return how many photos every epoch shows."""
    return len(drawing(fold, options)(np.random.default_rng((options.seed, 1))))


class Feed:
    """The batches of each epoch, on a device; seed and number of the epoch decide everything about them.

    Rows that the fold holds out are never touched.
    """

    def __init__(self, fold: Fold, options: TrainOptions, device: torch.device) -> None:
        self.fold, self.options, self.device = fold, options, device
        self._draw = drawing(fold, options)
        self.mix = mixing(options.one("mix"))
        self._mixer = np.random.default_rng(0)  # each epoch has its own
        self.partners = None if options.partner is None else fold.has_level(options.partner)
        self.photos = photos_per_epoch(fold, options)
        self.steps = batch_count(self.photos, options.batch_size)
        # Once: a copy per step would make a GPU wait.
        self._label = torch.from_numpy(fold.target.copy()).to(device)
        self._numbers = torch.from_numpy(fold.numbers).to(device)
        self._weight = torch.from_numpy(fold.weight.copy()).to(device)
        self._soft = None if fold.soft is None else torch.from_numpy(fold.soft).to(device)

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows of an epoch in their order, (photos,); with repeats, if they are sampled so."""
        return self._draw(self._random(epoch))

    def epoch(
        self, number: int, *, is_tracked: bool = True, after: int = 0, mixing: str | None = None
    ) -> Iterator[Batch]:
        """Yield the batches of an epoch, counted from 1, and show how far it has come.

        Those that come `after` so many are the same as if the others had come before them, if `mixing` is
        what `mixing_reached` was then.
        """
        random = self._random(number)
        rows = self._draw(random)
        parts = even_parts(len(rows), self.options.batch_size)[after:]
        loader = self._loader(self.fold.inputs, varied(rows, self.fold.vary, random), parts)
        self._mixer = mixer = np.random.default_rng((self.options.seed, number, _MIXING))
        if mixing is not None:
            set_random_text(mixer, mixing)
        shown = track(loader, self.steps - after, f"epoch {number}") if is_tracked else loader
        if self.fold.unlabeled is None:
            yield from (self._batch(these, values, mixer) for these, values in shown)
            return
        views = self._views(self.fold.unlabeled, number, photos=len(rows), after=after)
        # The loader comes first, so that it is what ends the epoch.
        for (these, values), pair in zip(shown, views, strict=False):
            yield replace(self._batch(these, values, mixer), views=pair)

    @property
    def mixing_reached(self) -> str:
        """How far the random numbers of mixing have come in the epoch that was begun last."""
        return random_text(self._mixer)

    def _views(self, unlabeled: Unlabeled, number: int, *, photos: int, after: int) -> Iterator[Views]:
        """Yield views for each batch of an epoch with so many labelled photos, but for the first `after`.

        All unlabelled photos come before one comes again. What an epoch has no place for, another may draw.
        """
        random = np.random.default_rng((self.options.seed, number, _UNLABELED))
        every = np.arange(len(unlabeled.inputs))
        rows = shuffle(every, every, random, length=unlabeled.ratio * photos)
        order = varied(rows, unlabeled.vary, random)
        parts = even_parts(photos, self.options.batch_size, times=unlabeled.ratio)[after:]
        for _, values in self._loader(unlabeled.inputs, order, parts):  # (M, 2, height, width, 3)
            weak, strong = (unlabeled.inputs.prepare(view, self.device) for view in values.unbind(1))
            yield weak, strong

    def _loader(
        self, inputs: Inputs, order: Order, parts: Sequence[slice]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        return batches(
            inputs, order, batch_size=self.options.batch_size, workers=self.options.workers,
            pin_memory=self.device.type == "cuda", parts=parts,
        )  # fmt: skip

    def _random(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng((self.options.seed, epoch))

    def _batch(self, rows: Tensor, values: Tensor, random: np.random.Generator) -> Batch:
        images = self.fold.inputs.prepare(values, self.device)  # (N, 3, H, W)
        these = rows.to(self.device, non_blocking=True)
        target = Target.of_labels(self._label[these], self._numbers[these], classes=len(self.fold.space))
        if self._soft is not None:
            target = target.softened(self._soft[these])
        weight = self._weight[these]  # (N,)
        if self.mix is None:
            return Batch(images, target, weight)
        candidates = None if self.partners is None else self.partners[rows.numpy()]
        mixed = self.mix(images, random, candidates)
        return Batch(mixed.images, target.mixed(mixed.partner, mixed.share), weight)
