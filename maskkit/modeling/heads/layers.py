"""The layers of a head: a hidden one or none, dropout drawn once or more often, and a linear one."""

from __future__ import annotations

from torch import Tensor, nn


class Layers(nn.Module):
    """From features (N, F) to outputs (S, N, K): S draws of dropout while training, else S = 1.

    Multi-sample dropout of Inoue 2019, https://arxiv.org/abs/1905.09788: the draws share all weights, and
    what is before dropout is computed once.

    Args:
        features: F, how many there are.
        outputs: K, how many are wanted.
        hidden: Width of a hidden layer with ReLU; 0 for none.
        dropout: Share of what goes into the last layer that is dropped.
        samples: Draws of dropout.
    """

    def __init__(self, features: int, outputs: int, *, hidden: int, dropout: float, samples: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(features, hidden), nn.ReLU()) if hidden else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(hidden or features, outputs)
        self.samples = samples

    def forward(self, features: Tensor) -> Tensor:
        """Return outputs, (S, N, K)."""
        values: Tensor = self.hidden(features)[None]  # (1, N, H)
        if self.training:
            values = self.dropout(values.expand(self.samples, -1, -1))
        outputs: Tensor = self.last(values)
        return outputs
