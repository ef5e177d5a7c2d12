"""One answer per factor, as if the factors were independent given the photo."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maskkit.labels import LabelSpace
from maskkit.modeling.heads.layers import Layers
from maskkit.modeling.heads.part import Classify, Main
from maskkit.modeling.target import Target


class Factors(Main):
    """A logit per level of each factor; a class is as probable as its levels together.

    Args:
        features: How many there are.
        space: The label space.
        hidden: Width of a hidden layer, of which each factor has its own; 0 for none.
        dropout: Share of features dropped before each last layer.
        samples: Draws of dropout, whose losses are averaged.
        weight: Of the loss.
    """

    def __init__(
        self,
        features: int,
        space: LabelSpace,
        *,
        hidden: int = 0,
        dropout: float = 0.2,
        samples: int = 1,
        weight: float = 1.0,
    ) -> None:
        super().__init__(weight=weight)
        self.space = space
        self.factors = nn.ModuleList(
            Layers(features, levels, hidden=hidden, dropout=dropout, samples=samples)
            for levels in space.shape
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits of all levels, factor after factor, (S, N, levels)."""
        return torch.cat([layers(features) for layers in self.factors], dim=2)

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:
        """Return the sum of the factors' losses, each the mean over the draws, (N,).

        With cross entropy and targets of one class, this is the negative log likelihood of the joint class.
        """
        total = torch.zeros((), device=outputs.device)
        for index, logits in enumerate(self._split(outputs)):  # (S, N, L)
            levels = target.of_factor(self.space, index)
            total = total + torch.stack([classify(draw, levels, index, 1.0) for draw in logits]).mean(0)
        return total

    def joint(self, outputs: Tensor) -> Tensor:
        """Return log probabilities: the outer product of the factors' probabilities, in class order."""
        logits = self._split(outputs.float())
        joint = logits[0].log_softmax(1)  # (N, L)
        for levels in logits[1:]:
            joint = (joint[:, :, None] + levels.log_softmax(1)[:, None, :]).flatten(1)
        return joint

    def _split(self, outputs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(outputs, list(self.space.shape), dim=-1)
