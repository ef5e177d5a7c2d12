"""The photos that a model was most wrong about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.labels import LabelSpace
from maskkit.scoring.boundary import signed_distances
from maskkit.scoring.judged import Judged
from maskkit.scoring.metrics import Integers, Probabilities, cross_entropies


@dataclass(frozen=True)
class WrongAnswer:
    """One photo that was taken for something else."""

    path: str  # of the photo
    person: str | None  # who is on it; None if nobody is named
    fold: int | None  # the fold it was held out in; None if it was in none
    truth: str  # name of its class
    prediction: str  # name of the class it was taken for
    confidence: float  # probability of the prediction
    truth_probability: float  # probability of the truth
    loss: float  # cross entropy in nats
    differs: tuple[str, ...]  # factors in which the prediction is wrong
    numbers: dict[str, float]  # the number behind each numeric factor, where it is known
    distances: dict[str, float]  # how far each of these is from the nearest cut, negative below it

    @property
    def taken_for(self) -> str:
        """The levels of the prediction that differ from the truth."""
        return "/".join(answer for truth, answer in self._levels() if answer != truth)

    @property
    def truth_there(self) -> str:
        """The levels of the truth that differ from the prediction."""
        return "/".join(truth for truth, answer in self._levels() if answer != truth)

    def _levels(self) -> zip[tuple[str, str]]:
        return zip(self.truth.split("/"), self.prediction.split("/"), strict=True)


def wrong_answers(judged: Judged, *, most: int) -> tuple[WrongAnswer, ...]:
    """Return the worst of the wrong answers, at most so many; none without probabilities."""
    if judged.probs is None:
        return ()
    wrong = judged.take(judged.answer != judged.truth)
    assert wrong.probs is not None
    chosen = worst_mistakes(wrong.truth, wrong.probs, most)
    loss = cross_entropies(wrong.truth, wrong.probs)
    shown = wrong.take(chosen)
    space, names = judged.space, judged.space.names
    numeric = [factor for factor in space.factors if factor.is_numeric]
    numbers = {factor.name: judged.manifest.numbers(factor.name)[shown.rows] for factor in numeric}
    apart = {factor.name: signed_distances(numbers[factor.name], factor.cuts)[0] for factor in numeric}
    folds = np.full(len(chosen), -1) if judged.fold is None else judged.manifest.folds[shown.rows]
    found = []
    for at, (path, person) in enumerate(shown.columns("path", "person_id")):
        truth, answer, probs = int(shown.truth[at]), int(shown.answer[at]), wrong.probs[chosen[at]]
        known = [name for name in numbers if not np.isnan(numbers[name][at])]
        found.append(
            WrongAnswer(
                path=path,
                person=person,
                fold=None if folds[at] < 0 else int(folds[at]),
                truth=names[truth],
                prediction=names[answer],
                confidence=float(probs[answer]),
                truth_probability=float(probs[truth]),
                loss=float(loss[chosen[at]]),
                differs=factors_apart(space, truth, answer),
                numbers={name: float(numbers[name][at]) for name in known},
                distances={name: float(apart[name][at]) for name in known},
            )
        )
    return tuple(found)


def worst_mistakes(label: Integers, probs: Probabilities, k: int) -> NDArray[np.int64]:
    """Return the `k` wrongly answered rows of the highest loss, worst first and equals in order of rows.

    A right answer is none, however unsure: among many classes it may have a high loss. Truth is (rows,),
    probabilities are (rows, classes).
    """
    wrong = np.flatnonzero(probs.argmax(1) != label)
    order = np.argsort(-cross_entropies(label, probs)[wrong], kind="stable")
    return wrong[order[:k]].astype(np.int64)


def factors_apart(space: LabelSpace, truth: int, answer: int) -> tuple[str, ...]:
    """Name the factors in which two classes differ."""
    levels = zip(space.factors, space.levels_of(truth), space.levels_of(answer), strict=True)
    return tuple(factor.name for factor, one, other in levels if one != other)
