"""How sure shares of photos are, and how they vary together, if people bring several photos each.

Photos of one person are right or wrong together, so n photos of a share say as much as fewer photos of
different people would: the effective sample size (Kish 1965; Korn and Graubard 1998, "Confidence intervals
for proportions with small expected number of positive counts estimated from survey data"). It follows from
the variance over people. Of few people the variance of their own is mere chance: of three who are all right
it is 0. What a person's answers have in common is therefore estimated once for all classes, as a working
correlation of photos of one person (Liang and Zeger 1986, https://doi.org/10.1093/biomet/73.1.13), and a
class goes by its own variance the more, the more people of it were answered differently.

How a class's photos divide into those that are of it and false alarms is not smoothed: both come by people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.scoring.metrics import Floats, ratio_of
from maskkit.scoring.tally import Tally

PRIOR = 0.5  # person: what the mean of all shares counts beside a share's own people
OWN = 10.0  # people of a class who differ in their answers, with whom its own variance counts half
# People as whom it counts, beside those with wrong answers, that a person's photos are all right or all wrong
CAUTION = 2.0
TOGETHER = 0.5  # people as whom it counts, beside those, that all shares rise and fall together


@dataclass(frozen=True)
class Shares:
    """Shares of the columns of a tally, O of them, and how they vary over people."""

    share: Floats  # hits among photos, (O,)
    shrunk: Floats  # the same, moved towards the mean share as if half a person had had that one, (O,)
    people: Floats  # people who have a photo in the column, (O,)
    effective: Floats  # photos, each of another person, that would say as much, (O,)
    correlation: Floats  # of the shares, over samples of people, (O, O)


def shares(tally: Tally, *, typical: NDArray[np.bool_] | None = None, cautious: bool = True) -> Shares:
    """Estimate shares and their variation; of a column without photos the share is NaN.

    The mean share is that of the `typical` columns, (O,), or of all. If `cautious`, photos of a person vary
    together as long as few people have wrong answers, and all shares vary together. The difference of two
    models must not be: what they share would cancel.
    """
    support, photos = tally.support, tally.photos
    people = tally.people_with(tally.truth + tally.alarms)
    mean = _photos_per_person(photos, people)  # (O,)
    middle = (tally.hit + mean / 2) / (photos + mean)
    of_truth = _photos_per_person(support, tally.people_with(tally.truth), otherwise=mean)
    found = (tally.hit + of_truth / 2) / (support + of_truth)
    usual = np.ones(len(tally), np.bool_) if typical is None else typical
    recall = _shrunk(tally.hit, support, PRIOR * of_truth, found[usual].mean())
    shrunk = _shrunk(tally.hit, photos, PRIOR * mean, middle[usual].mean())
    variation, differing = _variation(tally, recall, shrunk)
    own = np.maximum(np.diag(variation), 1e-6)
    correlation = np.clip(variation / np.sqrt(np.outer(own, own)), -1, 1)
    if cautious:
        every = tally.truth + tally.alarms
        alike = np.diag(tally.squares(every, every)) * shrunk * (1 - shrunk)
        own = (differing * own + CAUTION * alike) / (differing + CAUTION)
        correlation = (differing * correlation + TOGETHER) / (differing + TOGETHER)
    np.fill_diagonal(correlation, 1)
    return Shares(
        share=ratio_of(tally.hit, photos),
        shrunk=shrunk,
        people=people,
        effective=np.minimum(shrunk * (1 - shrunk) * photos**2 / own, photos),
        correlation=correlation,
    )


def _photos_per_person(photos: Floats, people: Floats, otherwise: Floats | float = 1.0) -> Floats:
    return np.where(people > 0, photos / np.maximum(people, 1), otherwise)


def _shrunk(hit: Floats, photos: Floats, others: Floats, share: float) -> Floats:
    """Return shares to which others were added that have a share of their own."""
    return (hit + others * share) / (photos + others)


def _variation(tally: Tally, recall: Floats, shrunk: Floats) -> tuple[Floats, float]:
    """Return the covariance of sums over people of hits less their share, (O, O), and how many differ.

    A person's sum is what is expected of people with so many photos and false alarms, and what their answers
    add to that: `error`, hits less the recall of their photos. Only the variation of the latter is modelled.
    """
    error = tally.hits - tally.truth.multiply(recall)
    expected = tally.truth.multiply(recall - shrunk) - tally.alarms.multiply(shrunk)
    missed = tally.truth - tally.hits
    differing = float(
        min(tally.people @ (missed.sum(axis=1) > 0), tally.people @ (tally.hits.sum(axis=1) > 0))
    )
    scale = np.sqrt(recall * (1 - recall))
    seen = tally.squares(error, error)
    modelled = _exchangeable(tally, seen, recall) * np.outer(scale, scale)
    mixed = np.minimum(tally.people_with(missed), tally.people_with(tally.hits))
    own = np.sqrt(mixed / (mixed + OWN))
    trust = np.outer(own, own)
    across = tally.squares(expected, error)
    whole = tally.squares(expected, expected) + across + across.T
    return whole + trust * seen + (1 - trust) * modelled, differing


def _exchangeable(tally: Tally, seen: Floats, recall: Floats) -> Floats:
    """Return the covariance of standardised errors, (O, O), if pairs of a person's photos are all alike.

    That is, if they have one correlation within a class and one across classes; two models have others with
    each other.
    """
    scale = np.sqrt(recall * (1 - recall))
    own = tally.hit * (1 - recall) ** 2 + (tally.support - tally.hit) * recall**2  # of single photos
    products = seen / np.outer(scale, scale) - np.diag(own / scale**2)
    pairs = tally.squares(tally.truth, tally.truth) - np.diag(tally.support)
    modelled = np.diag(tally.support)
    for block in _blocks(tally.classes, tally.models):
        counted = float(pairs[block].sum())
        common = min(max(float(products[block].sum()) / counted, 0.0), 1.0) if counted > 0 else 0.0
        modelled = modelled + np.where(block, pairs * common, 0)
    return modelled


def _blocks(classes: int, models: int) -> list[NDArray[np.bool_]]:
    """Return where pairs are of one class and of different ones, of one model, then of two, (O, O) each."""
    one, apart = np.eye(classes, dtype=np.bool_), ~np.eye(classes, dtype=np.bool_)
    same, other = np.eye(models, dtype=np.bool_), ~np.eye(models, dtype=np.bool_)
    blocks = [np.kron(same, one), np.kron(same, apart)]
    return blocks if models == 1 else [*blocks, np.kron(other, one), np.kron(other, apart)]
