"""What a network sees in each epoch: which photos, how they are varied and mixed, and towards what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.imaging.dataset import Drawn, Inputs, Order, batch_count, batches, even_parts, varied
from maskkit.imaging.mixing import mixing
from maskkit.imaging.sampling import SAMPLERS, Oversample, Undersample, epoch_rows, shuffle
from maskkit.modeling.target import Target
from maskkit.options.train_options import TrainOptions
from maskkit.processes.team import ALONE, Alone, shares_of
from maskkit.progress import track
from maskkit.training.fold import Fold

# Which tells the random numbers of mixing, and of unlabelled photos, from those of order and augmentation.
_MIXING, _UNLABELED = 1, 2

Views = tuple[Tensor, Tensor]  # a weak and a strong one of the same photos, (M, 3, H, W) each


@dataclass(frozen=True)
class Whole:
    """A batch as a whole, of which several processes may each have a share."""

    weight: Tensor  # of its photos together, ()
    views: int = 0  # unlabelled photos that come with it


@dataclass(frozen=True)
class Batch:
    """Photos, or features of photos, on the device of the model that learns from them.

    If several processes compute together, it is the share of this one.
    """

    images: Tensor  # as the network takes them, (N, 3, H, W) or (N, F)
    target: Target
    weight: Tensor  # (N,)
    whole: Whole
    views: Views | None = None  # of other photos, without labels; M is a multiple of N

    @property
    def shown(self) -> Tensor:
        """All that the network is shown at once, (N + 2 M, 3, H, W): the photos, weak views, strong views.

        So batch norm sees them together, as in the code of both papers (UDA, FixMatch); the statistics that
        it keeps for prediction would otherwise be those of whatever came last.
        """
        return self.images if self.views is None else torch.cat([self.images, *self.views])

    def parts(self, count: int) -> list[Batch]:
        """Return the batch in up to `count` parts of nearly the same size."""
        size, views, found = len(self.weight), self.views, []
        for start, end in pairwise(size * index // count for index in range(count + 1)):
            if end > start:
                part = slice(start, end)
                if self.views is not None:
                    times = len(self.views[0]) // size
                    weak, strong = (view[start * times : end * times] for view in self.views)
                    views = weak, strong
                found.append(
                    Batch(self.images[part], self.target[part], self.weight[part], self.whole, views)
                )
        return found


@dataclass(frozen=True)
class OwnPhotos:
    """Which photos of a batch a process computes, and how they are mixed."""

    part: slice  # of the epoch's order: the batch
    own: NDArray[np.int64]  # places in the batch, (N,)
    drawn: Drawn | None  # by mixing, for these, (N,)

    @cached_property
    def _others(self) -> NDArray[np.int64]:
        """Places of partners that are not among its own."""
        empty = self.own[:0]
        return empty if self.drawn is None else np.asarray(np.setdiff1d(self.drawn["partner"], self.own))

    @property
    def shown(self) -> NDArray[np.int64]:
        """Places in the order of all photos that are needed: its own, then partners of others."""
        places: NDArray[np.int64] = self.part.start + np.concatenate([self.own, self._others])
        return places

    @property
    def partner(self) -> NDArray[np.int64]:
        """Places of the partners among the photos that are needed, (N,)."""
        assert self.drawn is not None
        needed = np.concatenate([self.own, self._others])
        order = np.argsort(needed)
        return np.asarray(order[np.searchsorted(needed, self.drawn["partner"], sorter=order)])


def own_places(rows: NDArray[np.int64], team: Alone) -> NDArray[np.int64]:
    """Return which photos of a batch of these rows, (N,), are this process's: places, in ascending order.

    Shares are even, and hold what their host has: a row belongs to one of the hosts, whose cache need not
    hold others. Where a batch has more of a host's rows than its processes can take, another shows
    the rest.
    """
    world, count = team.world, len(rows)
    if world == 1:
        return np.arange(count)
    room = np.diff(shares_of(count, world))  # of each process
    hosts = np.asarray(team.hosts)
    names = np.unique(hosts)
    at = host_of(rows, team)  # (N,)
    spare = np.zeros(count, np.bool_)
    for name in names:
        spare[np.flatnonzero(at == name)[room[hosts == name].sum() :]] = True
    left = np.flatnonzero(spare)
    for name in names:
        lacking = room[hosts == name].sum() - np.count_nonzero((at == name) & ~spare)
        at[left[:lacking]], spare[left[:lacking]], left = name, False, left[lacking:]
    before = room[: team.rank][hosts[: team.rank] == team.host].sum()
    return np.flatnonzero(at == team.host)[before : before + room[team.rank]]


def host_of(rows: NDArray[np.int64], team: Alone) -> NDArray[np.int64]:
    """Return the host to which each row of a manifest belongs, (N,)."""
    names = np.unique(team.hosts)
    return np.asarray(names[rows % len(names)])


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

    Rows that the fold holds out are never touched. Each process of a team draws the same for all photos, and
    shows its share of every batch.
    """

    def __init__(
        self, fold: Fold, options: TrainOptions, device: torch.device, *, team: Alone = ALONE
    ) -> None:
        self.fold, self.options, self.device, self.team = fold, options, device, team
        self._draw = drawing(fold, options)
        self.mix = mixing(options.one("mix"))
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

    def epoch(self, number: int, *, is_tracked: bool = True, after: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, counted from 1, and show how far it has come.

        Those that come `after` so many are the same as if the others had come before them.
        """
        random = self._random(number)
        rows = self._draw(random)
        shares = self._shares(rows, number)[after:]
        order = varied(rows, self.fold.vary, random)
        loader = self._loader(self.fold.inputs, order, [share.shown for share in shares])
        shown = track(loader, self.steps - after, f"epoch {number}") if is_tracked else loader
        made = (
            self._batch(share, these, values, self._weight[self._on_device(rows[share.part])].sum())
            for (these, values), share in zip(shown, shares, strict=False)
        )
        if self.fold.unlabeled is None:
            yield from made
            return
        # The loader comes first, so that it is what ends the epoch.
        for batch, share, views in zip(made, shares, self._views(shares, number, len(rows)), strict=False):
            many = (share.part.stop - share.part.start) * self.fold.unlabeled.ratio
            yield replace(batch, views=views, whole=replace(batch.whole, views=many))

    def _shares(self, rows: NDArray[np.int64], number: int) -> list[OwnPhotos]:
        """Return this process's share of each batch of an epoch, with what mixing draws for it."""
        random = np.random.default_rng((self.options.seed, number, _MIXING))
        found = []
        for part in even_parts(len(rows), self.options.batch_size):
            these = rows[part]
            own = own_places(these, self.team)
            drawn = None
            if self.mix is not None:
                candidates = None if self.partners is None else self.partners[these]
                drawn = self.mix.draw(len(these), random, candidates)[own]
            found.append(OwnPhotos(part, own, drawn))
        return found

    def _views(self, shares: Sequence[OwnPhotos], number: int, photos: int) -> Iterator[Views]:
        """Yield views for these shares of batches of an epoch with so many labelled photos.

        All unlabelled photos come before one comes again. What an epoch has no place for, another may draw.
        """
        unlabeled = self.fold.unlabeled
        assert unlabeled is not None
        random = np.random.default_rng((self.options.seed, number, _UNLABELED))
        every, times = np.arange(len(unlabeled.inputs)), unlabeled.ratio
        rows = shuffle(every, every, random, length=times * photos)
        order = varied(rows, unlabeled.vary, random)
        parts = [
            ((share.part.start + share.own)[:, None] * times + np.arange(times)).ravel() for share in shares
        ]
        for _, values in self._loader(unlabeled.inputs, order, parts):  # (M, 2, height, width, 3)
            weak, strong = (unlabeled.inputs.prepare(view, self.device) for view in values.unbind(1))
            yield weak, strong

    def _loader(
        self, inputs: Inputs, order: Order, parts: Sequence[NDArray[np.int64]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        return batches(
            inputs, order, batch_size=self.options.batch_size, workers=self.options.workers,
            pin_memory=self.device.type == "cuda", parts=parts,
        )  # fmt: skip

    def _random(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng((self.options.seed, epoch))

    def _batch(self, share: OwnPhotos, rows: Tensor, values: Tensor, weight: Tensor) -> Batch:
        shown = self.fold.inputs.prepare(values, self.device)  # (N + partners of others, 3, H, W)
        own, these = len(share.own), rows.to(self.device, non_blocking=True)
        target = Target.of_labels(self._label[these], self._numbers[these], classes=len(self.fold.space))
        if self._soft is not None:
            target = target.softened(self._soft[these])
        whole = Whole(weight)
        if self.mix is None or share.drawn is None:
            return Batch(shown, target, self._weight[these], whole)
        partner = self._on_device(share.partner)
        mixed = self.mix(shown[:own], shown[partner], share.drawn)
        return Batch(mixed.images, target.mixed(partner, mixed.share), self._weight[these[:own]], whole)

    def _on_device(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)
