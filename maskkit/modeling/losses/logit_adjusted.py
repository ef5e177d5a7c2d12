"""Logit-adjusted cross entropy, from Menon et al. 2021, https://arxiv.org/abs/2007.07314."""

import torch
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import cross_entropy


def logit_adjusted(
    logits: Tensor, target: Tensor, *, counts: Tensor, tau: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Cross entropy of logits to which tau times the log prior of each class is added (equation 10).

    The added prior explains how frequent a class is, so the logits need not: as they are, without it, they
    predict as if all classes were equally frequent. That raises the recall of rare classes, at the cost of
    frequent ones. Class weights correct for the same; both together correct twice.

    `counts` are the examples per class among the rows trained on, (C,), at least one of them above 0. `tau`
    is the share of the correction, 0 or more: 0 is plain cross entropy, 1 aims at the balanced error. The
    rest is as in `cross_entropy`.
    """
    # A class without examples, whose log share would be -inf, is held to be the most frequent one: its logit
    # is then pushed down as hard as any. Held to be rare it would be favoured, with no example of what it
    # looks like.
    count = counts.float()
    log_prior = (torch.where(count > 0, count, count.max()) / count.sum()).log()  # (C,)
    return cross_entropy(logits.float() + tau * log_prior, target, weight=weight)
