"""Unsupervised data augmentation, from Xie et al. 2020, https://arxiv.org/abs/1904.12848."""

from math import exp

import torch
import torch.nn.functional as F
from torch import Tensor


def uda(
    weak: Tensor, strong: Tensor, *, temperature: float = 0.4, threshold: float = 0.8
) -> tuple[Tensor, Tensor]:
    """Divergence of the answer to a strongly varied photo from that to the weakly varied one.

    The second term of equation 1, with the paper's two techniques for images: the answer to the weak view is
    sharpened by a low temperature of its softmax, and counts only where its highest probability, before
    sharpening, is greater than the threshold. It is a constant: nothing is learnt through it. The paper
    writes a cross entropy, the authors' code the Kullback-Leibler divergence; they differ by the entropy of
    the target, and so not in the gradient.

    Takes the logits of both views of the same photos, float (M, C) each, and computes in float32. Returns one
    loss per photo, float32 (M,), in nats and 0 where the answer does not count; and whether it does, bool
    (M,). The mean is over all M.
    """
    weak = weak.detach().float()
    confident = weak.softmax(dim=1).amax(dim=1) > threshold
    target = F.log_softmax(weak / temperature, dim=1)  # (M, C)
    answer = F.log_softmax(strong.float(), dim=1)
    divergence = F.kl_div(answer, target, reduction="none", log_target=True).sum(dim=1)
    return torch.where(confident, divergence, 0.0), confident


def annealing_threshold(schedule: str, progress: float, *, classes: int) -> float:
    """Return the probability of its class up to which a labelled photo is learnt from.

    Training signal annealing: the threshold rises from 1 / C, so that few labelled photos are not learnt by
    heart while many unlabelled ones are still being understood. The `exp` schedule lets go last, for fewest
    labels; `log` first.
    `progress` is the share of the training's steps that are made, t / T, 0 to 1.
    """
    shares = {"linear": progress, "log": 1 - exp(-5 * progress), "exp": exp(5 * (progress - 1))}
    return shares[schedule] * (1 - 1 / classes) + 1 / classes


def annealed(logits: Tensor, target: Tensor, *, threshold: float) -> Tensor:
    """Return which labelled photos are still learnt from, bool (N,): those not known better than that.

    From logits and class probabilities, float (N, C) each; of a mixed photo, what is compared is the mean.
    """
    known = (logits.detach().float().softmax(dim=1) * target.float()).sum(dim=1)  # (N,)
    return known <= threshold
