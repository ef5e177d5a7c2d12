"""Members and their weights: those with which a vote answers best, or those with the smallest log loss.

Greedy selection with replacement, from Caruana, Niculescu-Mizil, Crew and Ksikes 2004, "Ensemble selection
from libraries of models", https://doi.org/10.1145/1015330.1015432: begin with the best model; add, again and
again, the one with which the vote scores best, the same one more than once if need be; keep the best of all
votes on the way. How often a model was added is its weight. From the paper's guards against overfitting this
has the first two, replacement and a sorted start. The third, bagging of models, is for libraries of hundreds.

Of a mean of probabilities, the members are the components of a mixture whose shares are sought. The log loss
is convex in them, and the EM algorithm (Dempster, Laird and Rubin 1977,
https://doi.org/10.1111/j.2517-6161.1977.tb01600.x) goes down to its minimum without a step size. Hall and
Mitchell 2007, https://doi.org/10.1016/j.ijforecast.2006.08.001, are the linear pool's weights by log score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import SMALLEST
from maskkit.options.train_options import Vote
from maskkit.predicting.votes import pooled, to_votes
from maskkit.scoring import metrics
from maskkit.scoring.metrics import Counts, Floats, Integers, Probabilities
from maskkit.scoring.panel import Panel

ROUNDS = 50  # members added, some of them again
TIE = 1e-10  # less than two sums of float32 probabilities differ by, unless they are equal
GAP = 1e-6  # nats per photo that the log loss may be above its minimum
STEPS = 20_000
NOTHING = 1e-3  # a smaller share is none: EM comes near to 0 and never there


def greedy(
    panel: Panel, truth: Integers, *, vote: Vote, most_members: int | None = None, rounds: int = ROUNDS
) -> Counts:
    """Return how often each member was chosen for the highest macro-F1, (members,).

    Where two members would do as well, the earlier one is chosen; of two votes that do, the shorter one.
    Photos on which all members agree are counted once, for no weights change them.

    Args:
        panel: What the members predict, with probabilities unless `vote` is `hard`.
        truth: Class of each photo, (N,).
        vote: Any but `stacking`.
        most_members: At most so many different ones are chosen.
        rounds: How many are added in all.
    """
    answers = np.stack(panel.answers)  # (M, N)
    is_open = (answers != answers[0]).any(axis=0)  # (N,)
    settled = metrics.confusion(truth[~is_open], answers[0][~is_open], classes=panel.classes)
    search = _Search(panel.take(is_open), truth[is_open], settled, vote, rounds)
    members = len(panel)
    chosen, best, best_score = np.zeros(members, np.int64), np.zeros(members, np.int64), -1.0
    for _ in range(rounds):
        is_full = most_members is not None and (chosen > 0).sum() >= most_members
        candidates = np.flatnonzero(chosen > 0) if is_full else np.arange(members)
        scores = search.scores_with(candidates)
        winner = candidates[scores.argmax()]
        search.add(winner)
        chosen[winner] += 1
        if scores.max() > best_score:
            best, best_score = chosen.copy(), float(scores.max())
    return best


class _Search:
    """The votes of the members chosen so far, on the photos that are open to dispute."""

    def __init__(self, panel: Panel, truth: Integers, settled: Counts, vote: Vote, rounds: int) -> None:
        self.truth, self.settled, self.classes = truth, settled, panel.classes
        self.answers, self.rows, self.is_hard = panel.answers, np.arange(len(truth)), vote == "hard"
        self.votes, self.tie = _votes(panel, vote, rounds), TIE / (len(panel) + 1)
        self.total = np.zeros((len(truth), panel.classes))  # (D, C)
        self.first = np.full(self.total.shape, len(panel))  # the earliest that answered each class, (D, C)

    def scores_with(self, candidates: NDArray[np.int64]) -> Floats:
        """Return the macro-F1 with one more vote of each candidate, (candidates,)."""
        answers = (self._total_with(member).argmax(axis=1) for member in candidates)
        confusion = [metrics.confusion(self.truth, answer, classes=self.classes) for answer in answers]
        return np.nan_to_num(metrics.macro_f1(np.stack(confusion) + self.settled))

    def add(self, member: int) -> None:
        """Count the member's vote."""
        self.total = self._total_with(member)
        place = (self.rows, self.answers[member])
        self.first[place] = np.minimum(self.first[place], member)

    def _total_with(self, member: int) -> Floats:
        """Return the votes, (D, C); a tie goes to the class that the earliest member answered."""
        total = self.total + self.votes[member]
        if self.is_hard:
            place = (self.rows, self.answers[member])
            total[place] += self.tie * np.maximum(self.first[place] - member, 0)
        return total


def _votes(panel: Panel, vote: Vote, rounds: int) -> list[Floats]:
    """Return what is added up of each member, (D, C) each.

    Of a hard vote it is one for the class answered, and so little of the probabilities that it decides
    among classes with as many votes only.
    """
    if vote != "hard":
        assert panel.probs is not None
        return [to_votes(part, pooled(vote)) for part in panel.probs]
    votes = [np.eye(panel.classes)[answer] for answer in panel.answers]
    if panel.probs is None:
        return votes
    return [one + part / (2 * rounds + 2) for one, part in zip(votes, panel.probs, strict=True)]


def linear_pool_weights(
    truth: Integers, probs: Sequence[Probabilities], *, most_members: int | None = None
) -> Floats:
    """Return the shares, summing to 1, that minimise the log loss of the mean of probabilities, (members,).

    Truth is (N,), probabilities (N, C) per member; `most_members` of the largest shares are weighed anew.
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
