"""FixMatch, from Sohn et al. 2020, https://arxiv.org/abs/2001.07685."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fixmatch(weak: Tensor, strong: Tensor, *, threshold: float = 0.95) -> tuple[Tensor, Tensor]:
    """Cross entropy of a strongly varied photo towards the class that the weakly varied one is given.

    Equation 4. The class is a constant: nothing is learnt through it.

    Args:
        weak: Logits of the weak view, float (M, C). The loss is computed in float32 whatever they are.
        strong: Logits of the strong view of the same photos, float (M, C).
        threshold: Probability of that class from which on it counts, 0 to 1; the paper's tau.

    Returns:
        One loss per photo, float32 (M,), in nats and 0 where the class does not count; and whether it does,
        bool (M,). The mean is over all M.
    """
    highest, label = weak.detach().float().softmax(dim=1).max(dim=1)  # (M,)
    confident = highest >= threshold
    losses = F.cross_entropy(strong.float(), label, reduction="none")
    return torch.where(confident, losses, 0.0), confident
