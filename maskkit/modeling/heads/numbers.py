"""Numbers as an auxiliary, such as ages: what is known of them, and heads that learn them.

They learn them as they are, or by thresholds, "as old as that, or older". CORAL is Cao, Mirjalili and Raschka
2020, https://arxiv.org/abs/1901.07884; CORN is Shi, Cao and Raschka 2021, https://arxiv.org/abs/2111.08851.
A rank of theirs begins at a threshold of ours, so that their "y > r_k" is our "number >= k-th threshold".
"""

from __future__ import annotations

from collections.abc import Callable
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


OrdinalLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # logits (N, T), reached (N, T), known (N,) -> (N,)


class Ordinal(HeadPart):
    """An auxiliary with a logit per threshold of each numeric factor, and a loss of each factor.

    The layer takes features (N, F) to the logits of all thresholds, factor after factor, (N, thresholds); the
    thresholds are ascending, float (T,) per factor.
    """

    thresholds: Tensor

    def __init__(
        self, layer: nn.Module, thresholds: list[Tensor], loss: OrdinalLoss, *, weight: float
    ) -> None:
        super().__init__(weight=weight)
        self.layer, self.loss = layer, loss
        self.counts = [len(each) for each in thresholds]
        # Not in the state: `Heads` keeps the numbers that they come from.
        self.register_buffer("thresholds", torch.cat(thresholds), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, (1, N, thresholds)."""
        return cast(Tensor, self.layer(features)[None])

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:  # noqa: ARG002 - no classes
        """Return the mean loss over the factors, (N,); an unknown number costs nothing."""
        logits = torch.split(outputs[0].float(), self.counts, dim=1)
        levels = torch.split(self.thresholds, self.counts)
        losses = [
            self.loss(each, number[:, None] >= level, ~number.isnan())  # NaN has reached nothing
            for each, level, number in zip(logits, levels, target.numbers.T, strict=True)
        ]
        return torch.stack(losses).mean(0)


class SharedScore(nn.Module):
    """CORAL's layer: one score per factor, and a bias for each of its `counts` thresholds."""

    factor: Tensor  # (thresholds,)

    def __init__(self, features: int, counts: list[int]) -> None:
        super().__init__()
        self.score = nn.Linear(features, len(counts), bias=False)
        self.bias = nn.Parameter(torch.zeros(sum(counts)))
        factor = [index for index, count in enumerate(counts) for _ in range(count)]
        self.register_buffer("factor", torch.tensor(factor), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, (N, thresholds)."""
        return cast(Tensor, self.score(features))[:, self.factor] + self.bias  # of (N, M) scores


def coral(features: int, numbers: Numbers, *, weight: float = 0.1, step: float = 10.0) -> Ordinal:
    """Return the auxiliary head of CORAL, with a threshold every `step` between the extremes in training."""
    levels = thresholds(numbers, step)
    layer = SharedScore(features, [len(each) for each in levels])
    return Ordinal(layer, levels, coral_loss, weight=weight)


def corn(features: int, numbers: Numbers, *, weight: float = 0.1, step: float = 10.0) -> Ordinal:
    """Return the auxiliary head of CORN, with a threshold every `step` between the extremes in training."""
    levels = thresholds(numbers, step)
    return Ordinal(nn.Linear(features, sum(map(len, levels))), levels, corn_loss, weight=weight)


def coral_loss(logits: Tensor, reached: Tensor, known: Tensor) -> Tensor:
    """Cross entropy of all thresholds, each of importance 1 / T: `step` does not change the scale.

    Takes the logits of having reached each threshold, float32 (N, T), whether it has been, bool (N, T), and
    whether anything is known of the example, bool (N,). Returns one loss per example, float32 (N,); 0 if not.
    """
    losses = F.binary_cross_entropy_with_logits(logits, reached.float(), reduction="none")  # (N, T)
    return torch.where(known, losses.mean(1), 0)


def corn_loss(logits: Tensor, reached: Tensor, known: Tensor) -> Tensor:
    """Cross entropy of each threshold over those who have reached the one before.

    Takes the logits of having reached each threshold if the one before has been, and otherwise what
    `coral_loss` takes. The mean over the known is the paper's loss: the sum over all examples and thresholds
    that count, over their number in the batch.
    """
    first = torch.ones_like(reached[:, :1])
    counts = torch.cat([first, reached[:, :-1]], dim=1) & known[:, None]  # (N, T): the subsets S_k
    losses = F.binary_cross_entropy_with_logits(logits, reached.float(), reduction="none")
    per_example = counts.sum().clamp_min(1) / known.sum().clamp_min(1)
    return torch.where(counts, losses, 0).sum(1) / per_example
