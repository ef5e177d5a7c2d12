"""Numbers by thresholds, "as old as that, or older": CORAL and CORN.

CORAL is Cao, Mirjalili and Raschka 2020, https://arxiv.org/abs/1901.07884; CORN is Shi, Cao and Raschka
2021, https://arxiv.org/abs/2111.08851. A rank of theirs begins at a threshold of ours, so that their
"y > r_k" is our "number >= k-th threshold".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.modeling.heads.numbers import Numbers, thresholds
from maskkit.modeling.heads.parts import Classify, HeadPart
from maskkit.modeling.target import Target

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
