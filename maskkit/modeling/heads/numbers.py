"""Numbers as an auxiliary, such as ages: what is known of them, and a head that learns them as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.modeling.heads.parts import Classify, HeadPart
from maskkit.modeling.target import Target

MOST_THRESHOLDS = 1000


@dataclass(frozen=True)
class Numbers:
    """Statistics of the label space's M numeric factors over the rows trained on, float32 (M,) each."""

    mean: Tensor
    std: Tensor  # of the population
    smallest: Tensor
    largest: Tensor

    @classmethod
    def of(cls, values: Tensor, space: LabelSpace) -> Numbers:
        """Measure numbers, float (rows, M) with NaN where unknown.

        Raises:
            MaskkitError: A factor has fewer than two different numbers: there is nothing to learn.
        """
        values = values.double()
        for factor, column in zip(numeric_factors(space), values.T, strict=True):
            different = column[~column.isnan()].unique()
            if len(different) < 2:
                raise MaskkitError(
                    f"the numbers of {factor} cannot be learnt",
                    why="among the rows trained on, "
                    + (f"all of them are {different[0]:g}" if len(different) else "none is known"),
                    fix="leave regression, coral and corn out of --head, "
                    "or label with the numbers that the levels were cut from",
                )
        known = ~values.isnan()
        mean = values.nanmean(0)
        std = (values - mean).square().nanmean(0).sqrt()
        smallest = values.where(known, torch.inf).amin(0)
        largest = values.where(known, -torch.inf).amax(0)
        return cls(mean.float(), std.float(), smallest.float(), largest.float())

    def to_tensor(self) -> Tensor:
        """Return the form kept in state dicts, float32 (4, M)."""
        return torch.stack([self.mean, self.std, self.smallest, self.largest])

    @classmethod
    def from_tensor(cls, rows: Tensor) -> Numbers:
        """Read the form that `to_tensor` returns."""
        return cls(*rows.unbind())


def numeric_factors(space: LabelSpace) -> list[str]:
    """Name the factors that are cut from a number, in the order of `Target.numbers`."""
    return [factor.name for factor in space.factors if factor.is_numeric]


def thresholds(numbers: Numbers, step: float) -> list[Tensor]:
    """Return the thresholds of "as old as that, or older": every `step`, float32 (T,) per factor.

    The first is `step` above the smallest number, the last not above the largest, so that in training both
    answers occur to each.

    Raises:
        MaskkitError: No threshold is between the smallest and the largest number, or too many are.
    """
    found = []
    for low, high in zip(numbers.smallest.tolist(), numbers.largest.tolist(), strict=True):
        count = int((high - low) / step + 1e-6) if step > 0 else 0  # of 0.7 in steps of 0.1 too
        if not 1 <= count <= MOST_THRESHOLDS:
            raise MaskkitError(
                f"--head coral or corn has step={step:g}",
                why=f"the numbers go from {low:g} to {high:g}, which makes {count} thresholds; "
                f"there can be 1 to {MOST_THRESHOLDS}",
                fix=f"use a step such as {(high - low) / 4:.2g}",
            )
        levels = low + step * torch.arange(1, count + 1, dtype=torch.float64)
        found.append(levels.clamp_max(high).float())
    return found


class Regression(HeadPart):
    """A linear output per numeric factor, in standard deviations from the mean of the rows trained on.

    On the raw scale, squared years outweigh any classification: one participant's accuracy fell below 10 %.
    """

    mean: Tensor  # (M,)
    std: Tensor  # (M,)

    def __init__(self, features: int, numbers: Numbers, *, weight: float = 0.1) -> None:
        super().__init__(weight=weight)
        self.last = nn.Linear(features, len(numbers.mean))
        # Not in the state by themselves: `Heads` keeps the numbers that they come from, once for all parts.
        self.register_buffer("mean", numbers.mean.clone(), persistent=False)
        self.register_buffer("std", numbers.std.clone(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return standardised numbers, (1, N, M)."""
        return cast(Tensor, self.last(features)[None])

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:  # noqa: ARG002 - no classes
        """Return the smooth L1 loss, the mean over the numbers, (N,); an unknown number costs nothing.

        Equation 3 of Girshick 2015, https://arxiv.org/abs/1504.08083: squared below one standard deviation,
        and linear above, so that a mislabelled age does not outweigh the others.
        """
        known = ~target.numbers.isnan()
        wanted = ((target.numbers - self.mean) / self.std).where(known, 0)
        losses = F.smooth_l1_loss(outputs[0].float(), wanted, reduction="none")  # (N, M)
        return torch.where(known, losses, 0).mean(1)
