"""What the best of several models is worth on other people, without the luck that made it the best.

Of several models that are scored on the same people, the best is above its worth, the more so the more there
are. The choice is therefore made again on people drawn with replacement, and what it brings is seen on those
not drawn (bootstrap bias-corrected cross-validation: Tsamardinos et al. 2018,
https://doi.org/10.1007/s10994-018-5714-4), from out-of-fold answers alone. The paper reports the score on the
people not drawn, who are a third of all; macro-F1 of a third of the people is too low (see `intervals`). So
what is carried over is how far the chosen model is above the mean of all there, which has no such bias, and
it is added to the mean of all on everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from maskkit.labels import LabelSpace
from maskkit.scoring.intervals import CONFIDENCE, class_intervals
from maskkit.scoring.kinds import Kinds, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers, ratio_of
from maskkit.scoring.results import Estimate
from maskkit.scoring.tally import Tally

REPLICATES = 500
_CHUNK = 4_000_000  # numbers held at a time


@dataclass(frozen=True)
class BestOf:
    """The best of several models by macro-F1."""

    place: int  # which of the models
    models: int  # how many there are
    own: float  # its macro-F1, which the choice flatters
    worth: Estimate  # the macro-F1 that so chosen a model has on other people
    chosen: float  # share of the draws in which it is the best
    replicates: int  # draws
    seed: int  # that they were drawn with

    def sentence(self, label: str) -> str:
        """Say what the best, which has this name, is worth."""
        text = f"{label} is the best of {self.models} with {self.own:.3f}"
        worth = self.worth
        if worth.value is None or worth.low is None or worth.high is None:
            return f"{text}; what it is worth on other people cannot be said of one person"
        return (
            f"{text}; so chosen, it is worth {worth.value:.3f} ({worth.low:.3f} to {worth.high:.3f}) "
            "on other people"
        )


def best_of(
    truth: Integers,
    answers: Sequence[Integers],
    *,
    space: LabelSpace,
    person: Integers | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> BestOf:
    """Say what the best of two or more models is worth, whose answers are given, (N,) each.

    People are codes, negative where unknown, (N,). Of a single person the worth has no interval.
    """
    people = number_people(person, rows=len(truth))
    tally = _of_each_person(truth, answers, people, len(space))
    scores = _macro_f1(tally, np.ones((1, len(tally.people))))[0]  # (M,)
    best = int(scores.argmax())
    if not people.any():
        return BestOf(best, len(answers), float(scores[best]), Estimate(None, None, None), 1.0, 0, seed)
    chosen, gain = _chosen_anew(tally, replicates, seed)
    each = [
        class_intervals(tally.of_model(one), space.shape, confidence=confidence)
        for one in range(len(answers))
    ]
    worth = float(np.mean([one.middle for one in each]) + gain.mean())
    low, high = (end + worth - each[best].middle for end in each[best].macro_f1)
    return BestOf(
        place=best,
        models=len(answers),
        own=float(scores[best]),
        worth=Estimate(worth, max(low, 0.0), min(high, 1.0)),
        chosen=float((chosen == best).mean()),
        replicates=len(chosen),
        seed=seed,
    )


def _of_each_person(truth: Integers, answers: Sequence[Integers], people: Counts, classes: int) -> Tally:
    patterns, photo = np.unique(np.stack([truth, *answers]), axis=1, return_inverse=True)
    pair, photos = np.unique(photo.ravel() * (people.max() + 1) + people, return_counts=True)
    everybody = Kinds(
        np.ones(people.max() + 1, np.int64), pair // (people.max() + 1), pair % (people.max() + 1), photos
    )
    return Tally.of_classes(everybody, patterns[0], list(patterns[1:]), classes=classes)


def _chosen_anew(tally: Tally, replicates: int, seed: int) -> tuple[Counts, Floats]:
    """Return which model is the best on people drawn anew, and how far it is above all on others, (R,)."""
    chosen, gain = [], []
    for drawn in _drawn(len(tally.people), replicates, seed):
        best = _macro_f1(tally, drawn).argmax(axis=1)
        others = _macro_f1(tally, (drawn == 0).astype(np.float64))
        chosen.append(best)
        gain.append(others[np.arange(len(best)), best] - others.mean(axis=1))
    return np.concatenate(chosen), np.concatenate(gain)


def _drawn(people: int, replicates: int, seed: int) -> Iterator[Floats]:
    """Yield how often each of the people is drawn, (R, people), R at a time; some are not, in each."""
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK // people)
    for done in range(0, replicates, chunk):
        size = min(chunk, replicates - done)
        drawn = generator.multinomial(people, np.full(people, 1 / people), size=size)
        yield drawn[(drawn == 0).any(axis=1)].astype(np.float64)


def _macro_f1(tally: Tally, weight: Floats) -> Floats:
    """Return macro-F1 of each model, (R, M), over people that count as often as given, (R, people)."""
    hits = np.asarray(weight @ tally.hits)
    both = np.asarray(weight @ (tally.truth + tally.hits + tally.alarms))  # of it, and taken for it
    f1 = ratio_of(2 * hits, both).reshape(len(weight), tally.models, tally.classes)
    occurs = ~np.isnan(f1)
    return ratio_of(f1.sum(axis=-1, where=occurs), occurs.sum(axis=-1))
