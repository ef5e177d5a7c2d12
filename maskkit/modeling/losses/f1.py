"""Soft macro-F1: the F-measure of expected counts.

From Pastor-Pellicer et al. 2013, https://doi.org/10.1007/978-3-642-38679-4_37, for one class against the
rest; the mean over classes makes it the macro-F1 that maskkit scores by.
"""

import torch
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import probabilities_of


def f1(
    logits: Tensor, target: Tensor, *, weight: Tensor | None = None, example_weight: Tensor | None = None
) -> Tensor:
    """1 - the macro-F1 of a batch, its counts being expected ones.

    With the target t and the probability p of a class, summed over the batch, its F1 is
    2 sum(t p) / (sum(t) + sum(p)): 2 TP / (2 TP + FP + FN) of a model that guesses by its probabilities.
    At hard predictions the loss equals 1 - scikit-learn's `f1_score(..., average="macro")`.

    A class counts in the mean by min(1, sum(t) + sum(p)): fully, once the targets or the predictions have
    one example's worth of it, and not at all where neither has any, as in scikit-learn. So the loss reaches 0
    although a batch lacks classes, and does not jump as the last probability leaves a class.

    The macro-F1 of a batch is not that of the data: batches should be large enough to show most classes a
    few times (128 or more for the 18 of the home task), and accumulated steps do not make them larger. An
    error that the model is sure of hardly pulls, and alone this loss can stop there: add cross entropy to it.

    Logits and target are as in `cross_entropy`. `weight`, float (C,), is what each class's F1 counts in the
    mean: a common factor has no effect. `example_weight`, float (N,), is how often each example counts, as
    scikit-learn's sample weight. Returned is the batch's loss, 0 to 1, repeated for each example, float32
    (N,).
    """
    predicted = logits.float().softmax(dim=1)  # (N, C)
    truth = probabilities_of(target, classes=logits.shape[1])  # (N, C)
    both = truth + predicted
    times = torch.ones_like(both[:, :1]) if example_weight is None else example_weight.float()[:, None]
    score = 2 * (times * truth * predicted).sum(dim=0) / _above_zero((times * both).sum(dim=0))  # (C,)
    share = (both * (times > 0)).sum(dim=0).clamp_max(1)  # (C,): what the class counts in the mean
    if weight is not None:
        share = share * weight.float()
    loss = (share * (1 - score)).sum() / _above_zero(share.sum())
    return loss.expand(len(logits))


def _above_zero(sums: Tensor) -> Tensor:
    return sums.clamp_min(torch.finfo(torch.float32).tiny)  # where it acts, what is divided is 0
