"""What several models say of the same photos, and the rule that makes one answer of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskkit.options.train_options import Vote
from maskkit.predicting.votes import hard_vote, soft_vote
from maskkit.scoring.panel import Panel

if TYPE_CHECKING:
    from maskkit.predicting.stack import Stack

# What each vote over probabilities adds up, as `blending.soft_vote` calls it.
POOLED = {"soft": "mean", "weighted": "mean", "geometric": "geometric", "logit": "logit", "rank": "rank"}


@dataclass(frozen=True)
class Blended:
    """What a rule makes of a panel.

    Args:
        answer: The class answered, (N,).
        probs: Class probabilities or degrees, (N, C); None for a hard vote.
        ties: Photos on which a hard vote had no single winner.
    """

    answer: NDArray[np.int64]
    probs: NDArray[np.float32] | None
    ties: int = 0


@dataclass(frozen=True)
class Rule:
    """How one answer is made.

    Args:
        vote: One of the votes.
        weights: Of each member; None if all count alike, or if a stack weighs each class of each.
        stack: Of the vote `stacking`.
    """

    vote: Vote
    weights: tuple[float, ...] | None = None
    stack: Stack | None = None

    def blended(self, panel: Panel) -> Blended:
        """Return one answer per photo.

        Raises:
            MaskkitError: The weights do not fit the members.
        """
        if self.vote == "hard":
            answer, tied = hard_vote(
                panel.answers, classes=panel.classes, probs=panel.probs, weights=self.weights
            )
            return Blended(answer, None, int(tied.sum()))
        assert panel.probs is not None  # who needs them has asked for them
        if self.stack is not None:
            probs = self.stack.probabilities(panel.probs)
        else:
            probs = soft_vote(panel.probs, weights=self.weights, how=POOLED[self.vote])
        return Blended(probs.argmax(1), probs)
