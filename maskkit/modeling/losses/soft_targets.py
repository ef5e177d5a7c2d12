"""The two forms of a target, class indices and class probabilities, made one."""

import torch.nn.functional as F
from torch import Tensor


def probabilities_of(target: Tensor, *, classes: int) -> Tensor:
    """Return float32 (N, C) class probabilities of indices, int64 (N,), or of probabilities, float (N, C)."""
    if target.is_floating_point():
        return target.float()
    return F.one_hot(target, classes).float()


def expected(losses: Tensor, target: Tensor, *, weight: Tensor | None) -> Tensor:
    """Reduce the loss that each class would have as the target to the loss of the target there is.

    Args:
        losses: The loss of every example, were its target this class; float32 (N, C).
        target: Class indices, int64 (N,), or class probabilities, float (N, C), which make it a mean.
        weight: Factor per class, float (C,).

    Returns:
        One loss per example, float32 (N,).
    """
    if weight is not None:
        losses = losses * weight.float()
    if target.is_floating_point():
        return (losses * target.float()).sum(dim=1)
    return losses.gather(1, target[:, None]).squeeze(1)
