"""One answer for all factors together."""

from __future__ import annotations

import torch
from torch import Tensor

from maskkit.labels import LabelSpace
from maskkit.modeling.heads.layers import Layers
from maskkit.modeling.heads.part import Classify, Main
from maskkit.modeling.target import Target


class Joint(Main):
    """A logit per class of the label space.

    Args:
        features: How many there are.
        space: The label space.
        hidden: Width of a hidden layer; 0 for none.
        dropout: Share of features dropped before the last layer.
        samples: Draws of dropout, whose losses are averaged.
    """

    def __init__(
        self, features: int, space: LabelSpace, *, hidden: int = 0, dropout: float = 0.2, samples: int = 1
    ) -> None:
        super().__init__()
        self.layers = Layers(features, len(space), hidden=hidden, dropout=dropout, samples=samples)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, (S, N, C)."""
        logits: Tensor = self.layers(features)
        return logits

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:
        """Return the mean loss over the draws, (N,)."""
        return torch.stack([classify(logits, target.classes, None, 1.0) for logits in outputs]).mean(0)

    def joint(self, outputs: Tensor) -> Tensor:
        """Return the logits as they are."""
        return outputs
