"""Cross entropy and label smoothing.

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

    With smoothing e, the probabilities t of C classes become (1 - e) t + e / C.

    Args:
        target: Class probabilities, float (N, C); rows sum to 1, as do those returned.
        smoothing: The share e, from 0 (as they are) to below 1.
    """
    return target * (1 - smoothing) + smoothing / target.shape[1]
