"""What the parts of a head have in common, and the two plain ones: a logit per class, or per level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from maskkit.labels import LabelSpace
from maskkit.modeling.target import Target


class Classify(Protocol):
    """The criterion of classification, which the trainer makes from its options."""

    def __call__(self, logits: Tensor, target: Tensor, factor: int | None, scale: float, /) -> Tensor:
        """Return one loss per example, float (N,), of logits and probabilities of K classes, float (N, K).

        These are the levels of the factor of this index, or if None the joint classes. `scale` is what one
        unit of margin is in these logits: that of the cosines, or 1.
        """


class HeadPart(nn.Module, ABC):
    """From features (N, F) to outputs (S, N, K) and their weighted loss; S is how often dropout was drawn."""

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
    """A part that knows the classes, and so counts in predictions."""

    @abstractmethod
    def joint(self, outputs: Tensor) -> Tensor:
        """Return logits of the joint classes, float (N, C), of outputs in evaluation mode, (N, K)."""


class Layers(nn.Module):
    """From features (N, F) to outputs (S, N, K): S draws of dropout while training, else S = 1.

    Multi-sample dropout of Inoue 2019, https://arxiv.org/abs/1905.09788: the draws, `samples` of them,
    share all weights, and what is before dropout, a `hidden` layer with ReLU unless it is 0 wide, is
    computed once.
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
        return cast(Tensor, self.last(values))


class Joint(Main):
    """A logit per class of the label space, by `Layers`."""

    def __init__(
        self, features: int, space: LabelSpace, *, hidden: int = 0, dropout: float = 0.2, samples: int = 1
    ) -> None:
        super().__init__()
        self.layers = Layers(features, len(space), hidden=hidden, dropout=dropout, samples=samples)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, (S, N, C)."""
        return cast(Tensor, self.layers(features))

    def losses(self, outputs: Tensor, target: Target, classify: Classify) -> Tensor:
        """Return the mean loss over the draws, (N,)."""
        return torch.stack([classify(logits, target.classes, None, 1.0) for logits in outputs]).mean(0)

    def joint(self, outputs: Tensor) -> Tensor:
        """Return the logits as they are."""
        return outputs


class Factors(Main):
    """A logit per level of each factor; a class is as probable as its levels together.

    Each factor has `Layers` of its own, as if factors were independent given the photo.
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
