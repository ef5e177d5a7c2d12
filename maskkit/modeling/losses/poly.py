"""Poly-1 loss, from Leng et al. 2022, https://arxiv.org/abs/2204.12511."""

import torch.nn.functional as F
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import expected


def poly(logits: Tensor, target: Tensor, *, epsilon: float = 1.0, weight: Tensor | None = None) -> Tensor:
    """Cross entropy whose series has another first term: -log p + epsilon (1 - p) (section 4.3).

    Cross entropy is the sum of (1 - p)^j / j over j = 1, 2, ...; here the first term has the factor
    1 + epsilon. Above 0, examples that are nearly right keep pulling; below 0, they pull less. For class
    probabilities, it is the mean of the loss of each class, weighted by its probability, as in the paper's
    code for smoothed labels. `epsilon` is -1 or more; all else is as in `cross_entropy`.
    """
    log_probability = F.log_softmax(logits.float(), dim=1)  # (N, C)
    losses = -log_probability - epsilon * log_probability.expm1()  # (N, C): were the target this class
    return expected(losses, target, weight=weight)
