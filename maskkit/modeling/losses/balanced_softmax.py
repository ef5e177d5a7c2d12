"""Balanced softmax, from Ren et al. 2020, https://arxiv.org/abs/2007.10740."""

from torch import Tensor

from maskkit.modeling.losses.logit_adjusted import logit_adjusted


def balanced_softmax(
    logits: Tensor, target: Tensor, *, counts: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Cross entropy of a softmax in which each class counts as often as it was seen (theorem 1, equation 3).

    The probability of class j is n_j exp(z_j) / sum of n_i exp(z_i). Found independently, it is the
    logit-adjusted loss of Menon et al. with a tau of 1, and is computed as such; what is said there of
    class weights, of classes without examples, and of shapes and units, holds here.
    """
    return logit_adjusted(logits, target, counts=counts, tau=1.0, weight=weight)
