"""What the parts of a head have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from torch import Tensor, nn

from maskkit.modeling.target import Target


class Classify(Protocol):
    """The criterion of classification, which the trainer makes from its options."""

    def __call__(self, logits: Tensor, target: Tensor, factor: int | None, scale: float, /) -> Tensor:
        """Return one loss per example, float (N,).

        Args:
            logits: Float (N, K).
            target: Probabilities of the K classes, float (N, K).
            factor: Index of the factor whose levels these are; None for the joint classes.
            scale: What one unit of margin is in these logits: that of the cosines, or 1.
        """


class HeadPart(nn.Module, ABC):
    """From features (N, F) to outputs (S, N, K) and their loss; S is how often dropout was drawn.

    Args:
        weight: Of its loss.
    """

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    @abstractmethod
    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:
        """Return one loss per example, float (N,), not yet weighted; the mean over the S draws.

        Inoue 2019, https://arxiv.org/abs/1905.09788, averages losses rather than logits: each draw is
        judged, not a network that would be larger than any of them.
        """


class Main(HeadPart):
    """A part that knows the classes, and so has a say at prediction time."""

    @abstractmethod
    def joint(self, outputs: Tensor) -> Tensor:
        """Return logits of the joint classes, float (N, C), of outputs in evaluation mode, (N, K)."""
