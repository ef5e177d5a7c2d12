"""Cross entropy and label smoothing, and what losses have in common.

Label smoothing is from Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7.
"""

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Negative log probability of the target.

    Args:
        logits: Unnormalised scores, float (N, C). The loss is computed in float32 whatever they are.
        target: Class indices, int64 (N,), or class probabilities, float (N, C).
        weight: Factor per class, float (C,).

    Returns:
        One loss per example, float32 (N,), in nats. The caller takes the mean.
    """
    if target.is_floating_point():
        target = target.float()
    if weight is not None:
        weight = weight.float()
    return F.cross_entropy(logits.float(), target, weight=weight, reduction="none")


def smoothed(target: Tensor, *, smoothing: float) -> Tensor:
    """Move a share of each target's probability from its classes to all classes alike.

    With smoothing e, from 0 to below 1, the probabilities t of C classes, float (N, C), become (1 - e) t + e
    / C.
    """
    return target * (1 - smoothing) + smoothing / target.shape[1]


def probabilities_of(target: Tensor, *, classes: int) -> Tensor:
    """Return float32 (N, C) class probabilities of indices, int64 (N,), or of probabilities, float (N, C)."""
    return target.float() if target.is_floating_point() else F.one_hot(target, classes).float()


def expected(losses: Tensor, target: Tensor, *, weight: Tensor | None) -> Tensor:
    """Reduce losses, float32 (N, C), each as if the target were this class, to those of the target, (N,).

    For class probabilities that is their mean; `target` and `weight` are as in `cross_entropy`.
    """
    if weight is not None:
        losses = losses * weight.float()
    if target.is_floating_point():
        return (losses * target.float()).sum(dim=1)
    return losses.gather(1, target[:, None]).squeeze(1)
