"""Models that cannot train in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Picky(nn.Module):
    """A model with an operation that one precision does not have."""

    def __init__(self, refused: torch.dtype) -> None:
        super().__init__()
        self.layer, self.refused = nn.Conv2d(3, 4, 32), refused

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layer(images)
        if maps.dtype == self.refused:
            raise RuntimeError('"fft" not implemented')
        return maps.flatten(1)


class NoSlope(nn.Module):
    """Computes in any precision, but its gradient in bfloat16 is no number."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(images.mean((2, 3)))
        return logits + (self.head.weight.sum() * 0).sqrt() if torch.is_autocast_enabled("cpu") else logits
