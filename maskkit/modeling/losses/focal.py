"""Focal loss, from Lin et al. 2017, https://arxiv.org/abs/1708.02002."""

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.modeling.losses.soft_targets import expected


def focal(logits: Tensor, target: Tensor, *, gamma: float = 2.0, weight: Tensor | None = None) -> Tensor:
    """Cross entropy that fades as an example becomes easy (equation 4; with `weight`, equation 5).

    For class probabilities, it is the mean of the loss of each class, weighted by its probability.

    Args:
        logits: Unnormalised scores, float (N, C). The loss is computed in float32 whatever they are.
        target: Class indices, int64 (N,), or class probabilities, float (N, C).
        gamma: How fast easy examples fade, 0 or more; 0 is plain cross entropy.
        weight: Factor per class, float (C,); the paper's alpha.

    Returns:
        One loss per example, float32 (N,), in nats. The caller takes the mean.
    """
    log_probability = F.log_softmax(logits.float(), dim=1)  # (N, C)
    # 1 - p without cancellation. The floor keeps the gradient of a fractional power finite at p = 1.
    doubt = (-torch.expm1(log_probability)).clamp_min(torch.finfo(torch.float32).tiny)
    losses = -(doubt**gamma) * log_probability  # (N, C): eq. 4, were the target this class
    return expected(losses, target, weight=weight)
