"""The numbers themselves as an auxiliary: a person's age beside the level it is in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.heads.part import Classify, HeadPart
from maskkit.modeling.target import Target


class Regression(HeadPart):
    """A linear answer per numeric factor, in standard deviations from the mean of the rows trained on.

    On the raw scale, squared years outweigh any classification: one participant's accuracy fell below 10 %.

    Args:
        features: How many there are.
        numbers: Of the rows trained on.
        weight: Of the loss.
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
        answers: Tensor = self.last(features)[None]
        return answers

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:  # noqa: ARG002 - no classes
        """Return the smooth L1 loss, the mean over the numbers, (N,); an unknown number costs nothing.

        Equation 3 of Girshick 2015, https://arxiv.org/abs/1504.08083: squared below one standard deviation,
        and linear above, so that a mislabelled age does not outweigh the others.
        """
        known = ~target.numbers.isnan()
        wanted = ((target.numbers - self.mean) / self.std).where(known, 0)
        losses = F.smooth_l1_loss(outputs[0].float(), wanted, reduction="none")  # (N, M)
        return torch.where(known, losses, 0).mean(1)
