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

    Args:
        logits: Unnormalised scores, float (N, C). The loss is computed in float32 whatever they are.
        target: Class indices, int64 (N,), or class probabilities, float (N, C).
        counts: Examples per class among the rows trained on, (C,); at least one is above 0.
        tau: Share of the correction, 0 or more: 0 is plain cross entropy, 1 aims at the balanced error.
        weight: Factor per class, float (C,).

    Returns:
        One loss per example, float32 (N,), in nats. The caller takes the mean.
    """
    return cross_entropy(logits.float() + tau * _log_prior(counts), target, weight=weight)


def _log_prior(counts: Tensor) -> Tensor:
    """Return the log share of each class, float32 (C,).

    A class without examples, whose log share would be -inf, is held to be the most frequent one: its logit
    is then pushed down as hard as any, and it is not predicted. Held to be rare it would be favoured, with
    no example to say what it looks like.
    """
    count = counts.float()
    return (torch.where(count > 0, count, count.max()) / count.sum()).log()
