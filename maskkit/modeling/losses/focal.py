"""Focal loss, from Lin et al. 2017, https://arxiv.org/abs/1708.02002."""

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import expected


def focal(logits: Tensor, target: Tensor, *, gamma: float = 2.0, weight: Tensor | None = None) -> Tensor:
    """Cross entropy that fades as an example becomes easy (equation 4; with `weight`, equation 5).

    `gamma`, 0 or more, is how fast easy examples fade; 0 is plain cross entropy. The rest is as in
    `cross_entropy`; `weight` is the paper's alpha. For class probabilities, it is the mean of the loss of
    each class, weighted by its probability.
    """
    log_probability = F.log_softmax(logits.float(), dim=1)  # (N, C)
    # 1 - p without cancellation. The floor keeps the gradient of a fractional power finite at p = 1.
    doubt = (-torch.expm1(log_probability)).clamp_min(torch.finfo(torch.float32).tiny)
    losses = -(doubt**gamma) * log_probability  # (N, C): eq. 4, were the target this class
    return expected(losses, target, weight=weight)
