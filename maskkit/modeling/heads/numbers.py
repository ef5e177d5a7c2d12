"""What auxiliary heads have to know of the numbers that they learn, such as ages."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace

MOST_THRESHOLDS = 1000


@dataclass(frozen=True)
class Numbers:
    """Statistics of the label space's M numeric factors, over the rows trained on.

    Args:
        mean: Float32 (M,), as all of them.
        std: Standard deviation, of the population.
        smallest: Smallest number.
        largest: Largest number.
    """

    mean: Tensor
    std: Tensor
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
    """Return where "as old as that, or older?" is asked: every `step`, float32 (T,) per factor.

    The first is `step` above the smallest number, the last not above the largest, so that in training both
    answers occur to each.

    Raises:
        MaskkitError: No threshold is between the smallest and the largest number, or too many are.
    """
    asked = []
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
        asked.append(levels.clamp_max(high).float())
    return asked
