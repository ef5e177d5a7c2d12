"""Make one answer out of several models' answers.

Rows are aligned by the caller, and `Predictions` has checked that they are probabilities.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.options.train_options import Vote
from maskkit.predicting.averaging import from_average, to_average
from maskkit.scoring.metrics import Floats, Integers, Probabilities

# Two sums this close, as a share of the total weight, differ by rounding only: probabilities are
# stored in float32, and 0.1 + 0.2 votes must tie with 0.3 whichever file comes first.
_ROUNDING = 1e-7
_BLOCK = 16_384  # rows blended at a time: float64 sums stay in cache, and never exist for a whole file


def hard_vote(
    answers: Sequence[Integers] | Integers,
    *,
    probs: Sequence[Probabilities] | Probabilities | None = None,
    weights: Sequence[float] | Floats | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give each row the class that most models answered.

    A tie goes to the class with the larger (weighted) sum of probabilities, if they are given.
    If those tie too, or are not given, it goes to whichever of the tied classes the earliest
    file answered. Each model has answers, (N,), probabilities, (N, C), read at tied rows only, and a
    weight, its votes; one if left out.

    Returns:
        The winning class, (N,), and whether two or more classes had the most votes, (N,).

    Raises:
        MaskkitError: The weights do not fit.
    """
    votes_of = _check_weights(weights, models=len(answers))
    rows = len(answers[0])
    winner, tied = np.empty(rows, np.int64), np.empty(rows, np.bool_)
    for start in range(0, rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        own = np.stack([given[block] for given in answers])  # (models, block)
        support = None if probs is None else [part[block] for part in probs]
        winner[block], tied[block] = _vote(own, support, votes_of)
    return winner, tied


def _vote(
    answers: Integers, probs: Sequence[Probabilities] | None, votes_of: Floats
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    votes = np.zeros(answers.shape)  # (models, N): votes for the class that each model answered
    for vote, row in zip(votes_of, answers, strict=True):
        votes += vote * (answers == row)
    counts = votes_of[:, None] > 0  # a file of weight 0 breaks no tie either
    leads = counts & (votes >= votes.max(axis=0) - _ROUNDING)  # (models, N)
    winner = _earliest(answers, leads)
    tied = (leads & (answers != winner)).any(axis=0)
    if probs is not None:
        rows = np.flatnonzero(tied)
        # The sum over the models of the probability of the class that each answered, (models, tied rows).
        given = [part[rows[None], answers[:, rows]].astype(np.float64) for part in probs]
        support = sum(vote * part for vote, part in zip(votes_of, given, strict=True))
        best = np.where(leads[:, rows], support, -np.inf).max(axis=0)
        winner[rows] = _earliest(answers[:, rows], leads[:, rows] & (support >= best - _ROUNDING))
    return winner, tied


def soft_vote(
    probs: Sequence[Probabilities] | Probabilities,
    *,
    weights: Sequence[float] | Floats | None = None,
    how: str = "mean",
) -> NDArray[np.float32]:
    """Return the (weighted) mean of the models' probabilities, (N, C), or of what they are turned into.

    That is by `mean`, `geometric` or `logit` (see `averaging`), or `rank` (see `borda`); weights, (models,),
    are equal if left out. Rows sum to 1, before and after; of ranks they are degrees that only look like it.

    Raises:
        MaskkitError: If the weights do not fit.
    """
    share = _check_weights(weights, models=len(probs))
    rows, classes = probs[0].shape
    blended = np.empty((rows, classes), dtype=np.float32)
    for start in range(0, rows, _BLOCK):
        block = slice(start, start + _BLOCK)
        total = np.zeros(blended[block].shape)
        for model, part in enumerate(probs):
            total += share[model] * to_votes(part[block], how)
        blended[block] = total if how == "rank" else from_average(total, how)
    return blended


def pooled(vote: Vote) -> str:
    """Return what a vote over probabilities adds up, as `soft_vote` calls it."""
    return "mean" if vote == "soft" else vote


def to_votes(probs: Probabilities, how: str) -> Floats:
    """Return what `soft_vote` adds up, (N, C); the largest of a row stays the largest.

    Two models that take two classes for each other tie them in points, which is common; so little of the
    probabilities is added to the ranks that it decides such ties and nothing else.
    """
    if how != "rank":
        return to_average(probs, how)
    classes = probs.shape[1]
    little = 0.01 / max(1, classes * (classes - 1))  # of 100 votes, a point's half weighs as much
    return np.asarray((1 - little) * borda(probs) + little * probs.astype(np.float64))


def borda(probs: Probabilities) -> Floats:
    """Return each class's share of its row's Borda points, (N, C) of both (Ho, Hull and Srihari 1994).

    A class has a point for each class of the photo that is less likely, and half a point for each that is
    as likely (https://doi.org/10.1109/34.273716), so how sure a model is counts for nothing. Ranks over
    photos, as of scores judged by AUC, would give every class as many photos and so undo its frequency.
    There are two classes or more, and rows sum to 1.
    """
    from scipy.stats import rankdata  # a third of a second to load, which other votes do without

    classes = probs.shape[1]
    return np.asarray((rankdata(probs, axis=1) - 1) / max(1, classes * (classes - 1) / 2))


def agreement(answers: Sequence[Integers] | Integers) -> Floats:
    """Return the share of rows on which each two models agree, (models, models) from (models, N)."""
    shares = np.eye(len(answers))
    for one, other in combinations(range(len(answers)), 2):
        shares[one, other] = shares[other, one] = (answers[one] == answers[other]).mean()
    return shares


def _earliest(answers: Integers, leads: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the answer of the first model that leads, (N,)."""
    first = leads.argmax(axis=0)
    return np.asarray(answers[first, np.arange(answers.shape[1])], dtype=np.int64)


def _check_weights(weights: Sequence[float] | Floats | None, *, models: int) -> Floats:
    """Return the weights as shares that sum to 1, (models,)."""
    if models == 0:
        raise MaskkitError(
            "there is nothing to vote", why="no predictions were given", fix="name one file or more"
        )
    values = np.ones(models) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (models,) or not np.isfinite(values).all() or values.min() < 0 or values.sum() == 0:
        raise MaskkitError(
            f"cannot weigh {models} models with {values.tolist()}",
            why=f"it takes {models} weights of 0 or more, at least one above 0",
            fix=f"give {models} numbers, such as {' '.join(['1'] * min(models, 5))}",
        )
    shares: Floats = values / values.sum()
    return shares
