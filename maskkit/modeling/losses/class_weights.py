"""Weights against class imbalance.

"effective" is from Cui et al. 2019, https://arxiv.org/abs/1901.05555. "log" is from Paszke et al. 2016,
https://arxiv.org/abs/1606.02147 (ENet): 1 / ln(1.02 + p), with the share p of the class, so that it is
bounded.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from maskkit.errors import MaskkitError, examples

# Counts, float64 (C,), and beta to weights that are right up to a common factor.
SCHEMES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "none": lambda counts, _: torch.ones_like(counts),
    "inverse": lambda counts, _: 1 / counts,  # "balanced" in scikit-learn
    "sqrt": lambda counts, _: counts.rsqrt(),
    "log": lambda counts, _: 1 / (1.02 + counts / counts.sum()).log(),
    "effective": lambda counts, beta: (1 - beta) / (1 - beta**counts),  # equation 2, inverted
}


def class_weights(counts: Tensor, *, scheme: str, beta: float = 0.9999) -> Tensor:
    """Weigh rare classes more, without changing the scale of the loss.

    The mean weight over the counted examples is 1, so a learning rate keeps its meaning from one scheme to
    another. A class without examples has weight 0, in every scheme: nothing is known of it.

    From examples per class among the rows trained on, int (C,), to factors, float32 (C,). `beta` is that of
    "effective", from 0, no weighting, to below 1, towards which it becomes "inverse".

    Raises:
        MaskkitError: If `counts` has a negative value or no example at all.
    """
    if bool((counts < 0).any()) or not bool((counts > 0).any()):
        raise MaskkitError(
            f"cannot weigh classes with the counts {examples(counts.tolist())}",
            why="counts are 0 or more, and one or more classes have examples",
            fix="count the classes of the rows that are trained on",
        )
    seen = counts > 0
    count = counts[seen].double()
    weight = SCHEMES[scheme](count, beta)
    weights = torch.zeros(counts.shape, dtype=torch.float32, device=counts.device)
    weights[seen] = (weight * count.sum() / (weight * count).sum()).float()
    return weights
