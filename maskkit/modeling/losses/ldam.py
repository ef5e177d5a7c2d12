"""Label-distribution-aware margin loss (LDAM), from Cao et al. 2019, https://arxiv.org/abs/1906.07413."""

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import expected


def ldam(
    logits: Tensor,
    target: Tensor,
    *,
    counts: Tensor,
    margin: float = 0.5,
    scale: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Cross entropy that asks rare classes to win by a margin (equation 12).

    For class probabilities, it is the mean of the loss of each class, weighted by its probability. The
    paper begins `weight` late in training (deferred re-weighting, algorithm 1); that is up to the caller.

    `counts` are the examples per class among the rows trained on, (C,), at least one of them above 0;
    `margin`, 0 or more, is that of the rarest class: 0 is plain cross entropy. `scale` is what the logits
    were multiplied by, and so the margins are: a cosine head's (the paper uses 30 times a cosine), or 1 for a
    linear head, whose margins are in nats. The rest is as in `cross_entropy`.
    """
    margins = scale * ldam_margins(counts, largest=margin)  # (C,)
    # With r = log(sum of exp(z_j) over the others), equation 12 is softplus(margin - (z - r)); in terms of p,
    # -log p + margin + log(1 - p + p exp(-margin)), which in float32 is infinite where p rounds to 1.
    losses = F.softplus(margins - _log_odds(logits.float()))  # (N, C): were the target this class
    return expected(losses, target, weight=weight)


def ldam_margins(counts: Tensor, *, largest: float) -> Tensor:
    """Return the margin of each class, C / n^(1/4) (equation 13), C being such that the largest is `largest`.

    From examples per class, (C,), to float32 (C,). A class without examples has the largest margin, as the
    rarest class that was seen; a margin by its own count would be infinite, and would leave none for the
    others.
    """
    count = counts.float()
    rarest = count.masked_fill(count <= 0, torch.inf).min()
    return largest * (rarest / count.maximum(rarest)) ** 0.25


def _log_odds(logits: Tensor) -> Tensor:
    """Return log(p / (1 - p)) of every class, (N, C); exact also where p is within rounding of 1."""
    top = logits.argmax(dim=1, keepdim=True)  # (N, 1)
    others = logits.scatter(1, top, -torch.inf).logsumexp(dim=1, keepdim=True)  # (N, 1): all but the top
    is_top = torch.zeros_like(logits, dtype=torch.bool).scatter(1, top, True)
    # No other class has more than half of the probability, so that 1 - p does not cancel.
    doubt = torch.log1p(-logits.softmax(dim=1).masked_fill(is_top, 0.0))
    return logits - torch.where(is_top, others, logits.logsumexp(dim=1, keepdim=True) + doubt)
