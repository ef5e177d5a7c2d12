"""Balanced softmax, from Ren et al. 2020, https://arxiv.org/abs/2007.10740."""

from torch import Tensor

from maskkit.modeling.losses.logit_adjusted import logit_adjusted


def balanced_softmax(
    logits: Tensor, target: Tensor, *, counts: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Cross entropy of a softmax in which each class counts as often as it was seen (theorem 1, equation 3).

    The probability of class j is n_j exp(z_j) / sum of n_i exp(z_i). Found independently, it is the
    logit-adjusted loss of Menon et al. with a tau of 1, and is computed as such; what is said there of
    class weights, and of classes without examples, holds here.

    Args:
        logits: Unnormalised scores z, float (N, C). The loss is computed in float32 whatever they are.
        target: Class indices, int64 (N,), or class probabilities, float (N, C).
        counts: Examples per class n among the rows trained on, (C,); at least one is above 0.
        weight: Factor per class, float (C,).

    Returns:
        One loss per example, float32 (N,), in nats. The caller takes the mean.
    """
    return logit_adjusted(logits, target, counts=counts, tau=1.0, weight=weight)
