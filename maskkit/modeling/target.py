"""What a batch is trained towards: class probabilities, and the numbers behind them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.labels import LabelSpace


@dataclass(frozen=True)
class Target:
    """What each example of a batch is trained towards."""

    classes: Tensor  # class probabilities, float (N, C); rows sum to 1
    numbers: Tensor  # of the numeric factors in their order, such as years of age, float (N, M), or NaN

    @classmethod
    def of_labels(cls, label: Tensor, numbers: Tensor, *, classes: int) -> Target:
        """Return the target of examples whose class is known: int64 (N,) labels, and float (N, M) numbers."""
        return cls(F.one_hot(label, classes).to(torch.float32), numbers)

    def softened(self, probs: Tensor) -> Target:
        """Return the target with these class probabilities, float (N, C); rows of NaN stay as they are."""
        return Target(torch.where(probs.isnan(), self.classes, probs), self.numbers)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.classes)

    def __getitem__(self, part: slice) -> Target:
        """Return the target of a part of the batch."""
        return Target(self.classes[part], self.numbers[part])

    @property
    def hard(self) -> Tensor:
        """The most probable class of each example, int64 (N,)."""
        return self.classes.argmax(dim=1)

    def of_factor(self, space: LabelSpace, index: int) -> Tensor:
        """Return the probabilities of the levels of factor `index`, float (N, L)."""
        before, levels, after = prod(space.shape[:index]), space.shape[index], prod(space.shape[index + 1 :])
        return self.classes.reshape(-1, before, levels, after).sum(dim=(1, 3))

    def mixed(self, partner: Tensor, share: Tensor) -> Target:
        """Return the target of the first N examples, which keep a share, float (N,), and have partners' rest.

        Partners are places among all of the examples, int64 (N,). A number is unknown if one that has a share
        in it is.
        """
        stays, own = share.to(self.classes.dtype)[:, None], self[: len(share)]  # (N, 1)
        return Target(
            _blend(own.classes, self.classes[partner], stays),
            _blend(own.numbers, self.numbers[partner], stays.to(self.numbers.dtype)),
        )


def _blend(own: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Average (N, K) with shares (N, 1); NaN does not spread from a side that has no share."""
    one, none = share == 1, share == 0
    return torch.where(one, own, torch.where(none, other, share * own + (1 - share) * other))
