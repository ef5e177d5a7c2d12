"""How sets of classes keep what they promise, how large they are, and what silence about large ones brings.

Coverage is that of a photo drawn at random of a person drawn at random, as it is promised. Its interval is
Wilson's (1927, https://doi.org/10.1080/01621459.1927.10502953) for as many independent photos as the people
are worth, by how much their shares differ (Korn and Graubard 1998, Survey Methodology 24:193-201; Dean and
Pagano 2015, https://doi.org/10.1093/jssam/smv024). Unlike one of resampled people, it is not empty where all
are covered. In simulations with 90 % covered and seven photos each, it held the truth in 92-96 % from 20
people on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maskkit.artifacts.answer_sets import AnswerSets
from maskkit.artifacts.columns import Bools, Ints
from maskkit.labels import LabelSpace
from maskkit.scoring.intervals import CONFIDENCE, wilson
from maskkit.scoring.kinds import number_people
from maskkit.scoring.metrics import Integers, accuracy, confusion, macro_f1
from maskkit.scoring.results import Estimate

MOST_SILENCES = 6  # sizes of sets about which silence is looked at


@dataclass(frozen=True)
class SetScore:
    """How sets fare on some photos."""

    name: str  # what the photos are of
    photos: int  # photos
    people: int  # people, a photo without a person counting as a person of its own
    coverage: Estimate  # share of the photos whose truth is in the set, each person weighing the same
    size: float  # mean number of classes, or levels, in a set, each photo weighing the same


@dataclass(frozen=True)
class Silence:
    """What is left if photos with large sets are not answered."""

    most: int  # classes in the set of a photo that is answered
    left_out: float  # share of the photos that are not
    macro_f1: float  # of the others
    accuracy: float  # of the others


@dataclass(frozen=True)
class SetScores:
    """How sets keep their promise."""

    promised: float  # share of truths that sets were to hold
    per: str | None  # of what that was promised by itself, as `Promise` has it
    all: SetScore
    single: float  # share of the sets with one class
    classes: tuple[SetScore, ...]  # the photos of each class that occurs
    # The photos of each level that occurs, by factor, and the sets of classes they have
    levels: dict[str, tuple[SetScore, ...]]
    factors: dict[str, tuple[SetScore, ...]]  # the same, and the sets of levels of that factor
    silences: tuple[Silence, ...]  # the strictest first

    @classmethod
    def of(
        cls,
        sets: AnswerSets,
        truth: Ints,
        answer: Integers,
        person: Ints,
        *,
        space: LabelSpace,
        confidence: float = CONFIDENCE,
    ) -> SetScores:
        """Score the sets of photos whose classes, answers and people are given, (N,) each."""
        people = number_people(person, rows=len(truth))
        sizes, covered = sets.sizes, sets.holds(truth)

        def scored(name: str, rows: Bools, held: Bools, size: Ints) -> SetScore:
            own = people[rows]
            coverage = share_of_people(held[rows], own, confidence)
            return SetScore(name, int(rows.sum()), len(np.unique(own)), coverage, float(size[rows].mean()))

        def each(names: tuple[str, ...], kind: Ints, held: Bools, size: Ints) -> tuple[SetScore, ...]:
            there = np.unique(kind).tolist()
            return tuple(scored(names[one], kind == one, held, size) for one in there)

        levels, factors = {}, {}
        kinds = np.unravel_index(truth, space.shape)
        for factor, kind, own in zip(space.factors, kinds, sets.levels or (sets.classes,), strict=True):
            levels[factor.name] = each(factor.levels, kind, covered, sizes)
            factors[factor.name] = each(factor.levels, kind, _holds(own, kind), own.sum(axis=1))
        return cls(
            sets.promise.coverage, sets.promise.per,
            scored("all", np.ones(len(truth), np.bool_), covered, sizes),
            float((sizes == 1).mean()),
            each(tuple(space.names), truth, covered, sizes), levels, factors,
            tuple(_silences(sizes, truth, answer, classes=len(space))),
        )  # fmt: skip


def share_of_people(is_so: Bools, person: Ints, confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean over people of their shares of such photos, with its interval, from (N,) each."""
    from scipy.special import stdtrit

    _, code, photos = np.unique(person, return_inverse=True, return_counts=True)
    shares = np.bincount(code, weights=is_so) / photos  # (people,)
    mean, people = float(shares.mean()), len(shares)
    if people < 2:
        return Estimate(mean, None, None)
    spread = float(shares.var(ddof=1))
    worth = people * max(1.0, mean * (1 - mean) / spread) if spread else float(people)  # independent photos
    reach = stdtrit(people - 1, (1 + confidence) / 2)  # Student's, as the spread is known from them only
    low, high = wilson(np.array(mean), np.array(worth), reach)
    return Estimate(mean, float(low), float(high))


def silence(sizes: Ints, most: int, truth: Ints, answer: Integers, *, classes: int) -> Silence | None:
    """Return what answers are worth without the photos whose sets have more classes; None if none is left."""
    is_kept = sizes <= most
    if not is_kept.any():
        return None
    counts = confusion(truth[is_kept], answer[is_kept], classes=classes)
    return Silence(most, float((~is_kept).mean()), float(macro_f1(counts)), float(accuracy(counts)))


def _silences(sizes: Ints, truth: Ints, answer: Integers, *, classes: int) -> Iterator[Silence]:
    for most in range(1, min(MOST_SILENCES, int(sizes.max())) + 1):
        found = silence(sizes, most, truth, answer, classes=classes)
        if found is not None:
            yield found


def _holds(part: Bools, truth: Ints) -> Bools:
    return np.asarray(part[np.arange(len(truth)), truth], np.bool_)
