"""Two photos made one, by name; its target is mixed in the same shares.

Everything is drawn for each photo of a batch: whether it is mixed, with which other, and in what share. The
papers' own code draws a share once per batch; the loss expected is the same, and batches differ less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.artifacts.columns import Floats, Ints
from maskkit.imaging.dataset import Drawn
from maskkit.options.choices import Choice

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Mixed:
    """Mixed photos, on the device of those that were given."""

    images: Tensor  # (N, 3, H, W), of the type and memory format of what was mixed
    share: Tensor  # of the photo itself, float32 (N,); the rest is the partner's. 1 if it is not mixed


class Mix(Protocol):
    """A way to mix the photos of a batch: first everything random is drawn, then it is done.

    What is drawn for a batch can be divided among those who mix it.
    """

    def draw(self, count: int, random: np.random.Generator, candidates: Mask | None = None) -> Drawn:
        """Return the random numbers for a batch of so many photos, one row of named fields each.

        `partner` is the place in the batch of the other photo, a photo's own if it is not mixed. Candidates
        are the photos that may be partners, (N,); None for all. A photo for which there is no other is not
        mixed.
        """

    def __call__(self, images: Tensor, others: Tensor, drawn: Drawn, /) -> Mixed:
        """Mix photos with their partners, (N, 3, H, W) both, and leave those as they are."""


@dataclass(frozen=True)
class Mixup:
    """Every pixel a weighted mean of both photos, from Zhang et al. 2018, https://arxiv.org/abs/1710.09412."""

    # The share is drawn from Beta(alpha, alpha) (section 2); the smaller, the more one prevails.
    alpha: float = 0.2
    p: float = 1.0  # chance of a photo to be mixed

    def draw(self, count: int, random: np.random.Generator, candidates: Mask | None = None) -> Drawn:
        """Draw the partners and the shares of the photos themselves."""
        drawn = _pairs(count, random, candidates, p=self.p, more=["share"])
        drawn["share"] = np.where(drawn["is_mixed"], random.beta(self.alpha, self.alpha, count), 1)
        return drawn

    def __call__(self, images: Tensor, others: Tensor, drawn: Drawn) -> Mixed:
        """Mix photos with their partners."""
        kept = _on_device(images, drawn["share"].astype(np.float32))
        mixed = torch.lerp(others, images, kept.to(images.dtype)[:, None, None, None])
        return Mixed(mixed, kept)


@dataclass(frozen=True)
class Cutmix:
    """A box of the partner is pasted at its place, from Yun et al. 2019, https://arxiv.org/abs/1905.04899.

    The box has the photo's shape, and a middle that is drawn anywhere, so that it may reach beyond the edge
    (equation 2). The share counts what was really pasted, as in the authors' code.
    """

    alpha: float = 1.0  # the box's share is drawn from Beta(alpha, alpha); 1 for any as likely
    p: float = 1.0  # chance of a photo to be mixed

    def draw(self, count: int, random: np.random.Generator, candidates: Mask | None = None) -> Drawn:
        """Draw the partners, and the side and the middle of the boxes in shares of the photo's."""
        drawn = _pairs(count, random, candidates, p=self.p, more=["side", "across", "down"])
        side = np.sqrt(1 - random.beta(self.alpha, self.alpha, count))
        drawn["side"] = np.where(drawn["is_mixed"], side, 0)
        drawn["across"], drawn["down"] = random.random(count), random.random(count)
        return drawn

    def __call__(self, images: Tensor, others: Tensor, drawn: Drawn) -> Mixed:
        """Mix photos with their partners."""
        _, _, height, width = images.shape
        across = _between(width, drawn["side"], drawn["across"])
        down = _between(height, drawn["side"], drawn["down"])
        share = 1 - down.sum(1) * across.sum(1) / (height * width)
        is_pasted = _on_device(images, down)[:, None, :, None] & _on_device(images, across)[:, None, None]
        mixed = torch.where(is_pasted, others, images)
        return Mixed(mixed, _on_device(images, share.astype(np.float32)))


@dataclass(frozen=True)
class Half:
    """The left or the right of a photo comes from its partner: two half faces.

    The CutMix of this field, where a face is in the middle of every photo; no paper. Teams of the
    mask-wearing competition put its cut between 0.46 and 0.54 of the width, took partners of 60 and over,
    and found not aligned halves the better ones.
    """

    low: float = 0.46  # the cut is drawn evenly from here, a share of the width,
    high: float = 0.54  # to here
    p: float = 0.5  # chance of a photo to be mixed
    # Whether the partner gives the half that is replaced; else it gives its other one, so that two left or
    # two right halves are side by side.
    aligned: bool = True

    def draw(self, count: int, random: np.random.Generator, candidates: Mask | None = None) -> Drawn:
        """Draw the partners, the cuts in shares of the width, and which half is the partner's."""
        drawn = _pairs(count, random, candidates, p=self.p, more=["cut", "side"])
        drawn["cut"], drawn["side"] = random.uniform(self.low, self.high, count), random.random(count)
        return drawn

    def __call__(self, images: Tensor, others: Tensor, drawn: Drawn) -> Mixed:
        """Mix photos with their partners."""
        _, _, _, width = images.shape
        cut = np.rint(width * drawn["cut"]).astype(np.int64)[:, None]
        column = np.arange(width)
        is_left = drawn["side"][:, None] < 0.5
        is_pasted = ((column < cut) == is_left) & drawn["is_mixed"][:, None]  # (N, W)
        share = 1 - is_pasted.sum(1) / width
        other = others
        if not self.aligned:  # moved around by the cut, each half of the partner is where the other was
            source = _on_device(images, (column - cut) % width)[:, None, None].expand(images.shape)
            other = torch.empty_like(images).copy_(others.gather(3, source))
        mixed = torch.where(_on_device(images, is_pasted)[:, None, None], other, images)
        return Mixed(mixed, _on_device(images, share.astype(np.float32)))


MIXES: dict[str, Callable[..., Mix | None]] = {
    "none": lambda: None,
    "mixup": Mixup,
    "cutmix": Cutmix,
    "half": Half,
}


def mixing(choice: Choice) -> Mix | None:
    """Return a way to mix photos, or None to leave them as they are; each draw is given the candidates."""
    settings = {name: value for name, value in choice.settings.items() if name != "partner"}
    return MIXES[choice.name](**settings)


def _partners(count: int, random: np.random.Generator, candidates: Mask | None, *, p: float) -> Ints:
    """Draw another photo for each, every candidate as likely; its own place if it is not mixed, (count,)."""
    own = np.arange(count)
    chosen = own if candidates is None else np.flatnonzero(candidates)
    is_mixed = random.random(count) < p
    drawn = random.random(count)
    if not len(chosen):
        return own
    is_chosen = np.isin(own, chosen)
    # A candidate counts from the one after itself on, so that it never comes to itself if there are others.
    start = np.where(is_chosen, np.searchsorted(chosen, own) + 1, 0)
    step = (drawn * (len(chosen) - is_chosen)).astype(np.int64)
    return np.where(is_mixed, chosen[(start + step) % len(chosen)], own)


def _pairs(
    count: int, random: np.random.Generator, candidates: Mask | None, *, p: float, more: Sequence[str]
) -> Drawn:
    """Draw the partners, and leave room for what `more` is to be drawn for each photo, (count,)."""
    fields = [("partner", np.int64), ("is_mixed", np.bool_), *((name, np.float64) for name in more)]
    drawn = np.zeros(count, fields)
    drawn["partner"] = _partners(count, random, candidates, p=p)
    drawn["is_mixed"] = drawn["partner"] != np.arange(count)
    return drawn


def _between(length: int, share: Floats, middle: Floats) -> Mask:
    """Return the pixels of a line that are in a part of it, as far as that is on the line, (N, length)."""
    size = np.rint(length * share).astype(np.int64)
    start = np.floor(length * middle).astype(np.int64) - size // 2
    pixel = np.arange(length)
    return (pixel >= start[:, None]) & (pixel < (start + size)[:, None])


def _on_device(images: Tensor, values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values).to(images.device, non_blocking=True)
