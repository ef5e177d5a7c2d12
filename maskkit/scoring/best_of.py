"""What the best of several models is worth on other people, without the luck that made it the best.

Of several models that are scored on the same people, the best is above its worth, the more so the more there
are. The choice is therefore made again on people drawn with replacement, and what it brings is seen on those
not drawn (bootstrap bias-corrected cross-validation: Tsamardinos et al. 2018,
https://doi.org/10.1007/s10994-018-5714-4), from out-of-fold answers alone. The paper reports the score on the
people not drawn, who are a third of all; macro-F1 of a third of the people is too low (see `intervals`). So
what is carried over is how far the chosen model is above the mean of all there, which has no such bias, and
it is added to the mean of all on everybody.

Its interval is that of a chosen model's score, narrower where the worth varies less than a score does, being
a mean of models, and wider where another could as well have been chosen. On people not drawn, who are what
the drawn are not, a model scores 2 s - s*, of its scores s on everybody and s* on the drawn. So the gain is
2 sum(p s) - E max(s*), of the shares p of draws in which each model is chosen, and moves with the score of a
model by its p and twice what it does to the s of the chosen: a regression over the draws gives that, as they
give the error of any choice (Efron 2014, https://doi.org/10.1080/01621459.2013.823775).
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
_RANK = 1e-8  # models closer than this share of their scores are one


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
    scores = _macro_f1(tally, np.ones((1, len(tally.people))))[0]
    best = int(scores.argmax())
    if not people.any():
        return BestOf(best, len(answers), float(scores[best]), Estimate(None, None, None), 1.0, 0, seed)
    draws = _Draws.of(tally, replicates, seed)
    each = [
        class_intervals(tally.of_model(one), space.shape, confidence=confidence)
        for one in range(len(answers))
    ]
    middle = np.array([one.middle for one in each])
    worth = float(middle.mean() + draws.gain.mean())
    ends = np.array([one.macro_f1 for one in each]) - middle[:, None]  # (M, 2)
    low, high = worth + draws.noise(scores, _influence(tally)) * (draws.share @ ends)
    return BestOf(
        place=best,
        models=len(answers),
        own=float(scores[best]),
        worth=Estimate(worth, max(float(low), 0.0), min(float(high), 1.0)),
        chosen=float(draws.share[best]),
        replicates=len(draws.chosen),
        seed=seed,
    )


def _of_each_person(truth: Integers, answers: Sequence[Integers], people: Counts, classes: int) -> Tally:
    patterns, photo = np.unique(np.stack([truth, *answers]), axis=1, return_inverse=True)
    pair, photos = np.unique(photo.ravel() * (people.max() + 1) + people, return_counts=True)
    everybody = Kinds(
        np.ones(people.max() + 1, np.int64), pair // (people.max() + 1), pair % (people.max() + 1), photos
    )
    return Tally.of_classes(everybody, patterns[0], list(patterns[1:]), classes=classes)


@dataclass(frozen=True)
class _Draws:
    """What is chosen on people drawn with replacement, and brings on those not drawn."""

    chosen: Counts  # model that is the best on the drawn, (R,)
    gain: Floats  # how far it is above the mean of all on the others, (R,)
    scores: Floats  # of each model on the drawn, (R, M)

    @classmethod
    def of(cls, tally: Tally, replicates: int, seed: int) -> _Draws:
        scores, gain = [], []
        for drawn in _drawn(len(tally.people), replicates, seed):
            scores.append(_macro_f1(tally, drawn))
            best = scores[-1].argmax(axis=1)
            others = _macro_f1(tally, (drawn == 0).astype(np.float64))
            gain.append(others[np.arange(len(best)), best] - others.mean(axis=1))
        every = np.concatenate(scores)
        return cls(every.argmax(axis=1), np.concatenate(gain), every)

    @property
    def share(self) -> Floats:
        """Of the draws, in which each model is chosen, (M,)."""
        return np.bincount(self.chosen, minlength=self.scores.shape[1]) / len(self.chosen)

    def noise(self, scores: Floats, influence: Floats) -> float:
        """Return how much the worth varies beside the score of a chosen model.

        Of the scores on everybody, (M,), and of how each person moves them, (people, M).
        """
        own = influence - influence.mean(axis=1, keepdims=True)  # from here on beside the mean of all
        drawn = self.scores - self.scores.mean(axis=1, keepdims=True)
        of_chosen = scores[self.chosen] - scores[self.chosen].mean()
        pull = np.linalg.lstsq(drawn - drawn.mean(axis=0), of_chosen, rcond=_RANK)[0]
        moved = influence.mean(axis=1) + own @ (self.share + 2 * pull)
        of_a_model = float(self.share @ (influence**2).sum(axis=0))
        return float(np.sqrt((moved**2).sum() / of_a_model)) if of_a_model else 1.0


def _influence(tally: Tally) -> Floats:
    """Return how much each person moves the macro-F1 of each model to the first order, (people, M)."""
    from scipy.sparse import csr_array, kron

    both = tally.truth + tally.hits + tally.alarms
    total = np.asarray(tally.people @ both)  # 0 of a class that does not occur, which nobody moves
    each = np.nan_to_num(ratio_of(np.ones_like(total), total))
    moved = tally.hits * (2 * each) - both * (2 * tally.hit * each**2)
    occurs = (total > 0).reshape(tally.models, -1).sum(axis=1)
    of_models = kron(csr_array(np.diag(1 / occurs)), np.ones((tally.classes, 1)))
    return np.asarray((moved @ csr_array(of_models)).todense())


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
