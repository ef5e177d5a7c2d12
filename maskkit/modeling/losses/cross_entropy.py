"""Cross entropy and label smoothing.

Label smoothing is from Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.errors import MaskkitError


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


def soft_targets(target: Tensor, *, classes: int, smoothing: float) -> Tensor:
    """Move a share of each target's probability from its class to all classes alike.

    With smoothing e, the probabilities are (1 - e) * one_hot + e / classes.

    Args:
        target: Class indices, int64 (N,).
        classes: Number of classes C.
        smoothing: The share e, from 0 (one-hot targets) to below 1.

    Returns:
        Class probabilities, float32 (N, C); rows sum to 1.

    Raises:
        MaskkitError: If `smoothing` is not in [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise MaskkitError(
            f"label smoothing cannot be {smoothing}",
            why="it is a share of the probability, from 0 to below 1",
            fix="use a value such as 0.1, or 0 for none",
        )
    one_hot = F.one_hot(target, classes).to(torch.float32)  # (N, C)
    return one_hot * (1 - smoothing) + smoothing / classes
