"""FixMatch, from Sohn et al. 2020, https://arxiv.org/abs/2001.07685."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fixmatch(weak: Tensor, strong: Tensor, *, threshold: float = 0.95) -> tuple[Tensor, Tensor]:
    """Cross entropy of a strongly varied photo towards the class that the weakly varied one is given.

    Equation 4. The class is a constant: nothing is learnt through it. It counts from a probability of
    `threshold` on, the paper's tau. What is taken and returned is as in `uda`.
    """
    highest, label = weak.detach().float().softmax(dim=1).max(dim=1)  # (M,)
    confident = highest >= threshold
    losses = F.cross_entropy(strong.float(), label, reduction="none")
    return torch.where(confident, losses, 0.0), confident
