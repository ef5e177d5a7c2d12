"""The weights with which a mean of probabilities has the smallest log loss.

The members are the components of a mixture whose shares are sought. The log loss is convex in them, and the
EM algorithm (Dempster, Laird and Rubin 1977, https://doi.org/10.1111/j.2517-6161.1977.tb01600.x) goes down
to its minimum without a step size. Hall and Mitchell 2007, https://doi.org/10.1016/j.ijforecast.2006.08.001,
are the linear pool's weights by log score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskkit.artifacts.decision import SMALLEST
from maskkit.scoring.metrics import Floats, Integers, Probabilities

GAP = 1e-6  # nats per photo that the log loss may be above its minimum
STEPS = 20_000
NOTHING = 1e-3  # a smaller share is none: EM comes near to 0 and never there


def linear_pool_weights(
    truth: Integers, probs: Sequence[Probabilities], *, most_members: int | None = None
) -> Floats:
    """Return the shares, summing to 1, that minimise the log loss of the mean of probabilities, (members,).

    Args:
        truth: Class of each photo, (N,).
        probs: Class probabilities of each member, (N, C).
        most_members: So many members with the largest shares are kept, and weighed anew.
    """
    rows = np.arange(len(truth))
    given = np.stack([part[rows, truth] for part in probs]).astype(np.float64)  # (M, N)
    given = np.maximum(given, SMALLEST)
    shares = _em(given)
    if most_members is not None and (shares > 0).sum() > most_members:
        kept = np.sort(np.argsort(-shares, kind="stable")[:most_members])
        shares = np.zeros(len(probs))
        shares[kept] = _em(given[kept])
    return shares


def _em(given: Floats) -> Floats:
    """Return the shares of a mixture from each member's probability of the true class, (M, N)."""
    shares = np.full(len(given), 1 / len(given))
    for _ in range(STEPS):
        # How much better each member would be than the mixture; none is better at the minimum, and by
        # convexity the largest of it less 1 is as far as the log loss can still fall.
        slope = (given / (shares @ given)).mean(axis=1)
        if slope.max() < 1 + GAP:
            break
        shares = shares * slope
    shares[shares < NOTHING] = 0
    return np.asarray(shares / shares.sum())
