"""Trainings beside each other: how each scores fold by fold, whom it held out, and how it compares.

`Compared` is what was found, as one value that JSON, TSV, the terminal and HTML share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import Run
from maskkit.scoring import metrics
from maskkit.scoring.best_of import BestOf
from maskkit.scoring.intervals import CONFIDENCE
from maskkit.scoring.judged import Judged
from maskkit.scoring.kinds import number_people
from maskkit.scoring.measuring import fold_scores, spread
from maskkit.scoring.metrics import ACCURACY, MACRO_F1, Floats, Integers
from maskkit.scoring.paired import OnlyOne, Paired, held_together
from maskkit.scoring.panel import folds_of
from maskkit.scoring.results import Estimate, FoldSpread

Basis = Literal["predictions", "training"]
POWER = 0.8  # chance with which a difference that is there should be seen


@dataclass(frozen=True)
class DifferingOption:
    """An option that is not the same in all runs."""

    stage: str  # the command it belongs to
    name: str  # of the option; `version` for maskkit's, `input` for a file that no stage made
    # Of each run; None where the run has no such option, or how it was made is not known
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class FoldResult:
    """A run's scores on the people of one fold."""

    fold: int
    macro_f1: float
    accuracy: float


@dataclass(frozen=True)
class RunScores:
    """One run's scores."""

    name: str  # as given
    label: str  # the part of the name in which the runs differ
    # Whether folds were scored from the predictions, or by the training itself, which chose its best epoch by
    # that score
    basis: Basis
    folds: tuple[FoldResult, ...]  # each fold's scores, by number; empty if none are known
    # Mean and spread over the folds that all runs have; None if there are none
    macro_f1: FoldSpread | None = None
    accuracy: FoldSpread | None = None  # the same
    # Measures over all photos in common, by name; None without predictions and truth
    own: Mapping[str, Estimate] | None = None
    # Macro-F1 on the people held out after each epoch, the mean of the folds; empty if unknown
    curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class Versus:
    """One run against the first."""

    label: str  # of the run
    first: str  # label of the first run
    confidence: float  # of the intervals, widened where there are several comparisons
    # The run's measures less the first's, by name, on the same photos; None without predictions and truth
    difference: Mapping[str, Estimate] | None
    only: OnlyOne | None  # who is right where the two disagree; None without predictions and truth
    # Mean difference of macro-F1 and accuracy over the folds; None where no fold is common
    by_fold: Mapping[str, Estimate] | None
    folds: int  # how many folds both have
    folds_better: int  # in how many of them the run has the higher macro-F1
    limit: str  # why there is no interval; empty if there is one

    @property
    def decisive(self) -> Estimate | None:
        """The difference in macro-F1 that the verdict goes by; the paired one if there is one."""
        found = self.difference or self.by_fold
        return None if found is None else found[MACRO_F1]

    @property
    def is_noise(self) -> bool | None:
        """Whether the interval of the difference holds 0; None if there is no interval."""
        return None if self.decisive is None else self.decisive.is_noise

    @property
    def detectable(self) -> float | None:
        """How large a difference of macro-F1 has to be to be seen 8 times in 10; None if unknown.

        An interval's half width is as many standard errors as its confidence asks for; a difference that is
        seen with a chance of 0.8 is 0.84 of them larger.
        """
        found = None if self.difference is None else self.difference[MACRO_F1]
        if found is None or found.low is None or found.high is None:
            return None
        errors = float(ndtri((1 + self.confidence) / 2))
        return (found.high - found.low) / 2 * (1 + float(ndtri(POWER)) / errors)

    @property
    def sentence(self) -> str:
        """Say what the comparison found."""
        found = self.decisive
        if found is None or found.value is None:
            return f"{self.label} and {self.first} cannot be compared"
        how = "better" if found.value >= 0 else "worse"
        text = f"{self.label} is {abs(found.value):.3f} {how} than {self.first}"
        if round(found.value, 3) == 0:
            text = f"{self.label} scores as {self.first} does, to 0.001"
        if found.low is None or found.high is None:
            return f"{text} (no interval: {self.limit}): {found.verdict}"
        share = f"{100 * self.confidence:.4g} % interval {_three(found.low)} to {_three(found.high)}"
        over = "" if self.difference is not None else f", over {self.folds} folds"
        power = "" if self.detectable is None else f"; {_three(self.detectable)} would be seen 8 times in 10"
        return f"{text} ({share}{over}): {found.verdict}{power}"


def against_first(
    scores: Sequence[RunScores], index: int, judged: Paired | None, *, place: int | None, same_folds: bool
) -> Versus:
    """Compare one run with the first; `place` is that of its differences among the judged, if it has any."""
    first, second = scores[0], scores[index]
    confidence = held_together(CONFIDENCE, len(scores) - 1)
    is_fair = same_folds or first.basis == second.basis == "predictions"
    ours = {one.fold: one for one in first.folds}
    both = [(ours[one.fold], one) for one in second.folds if one.fold in ours]
    by_fold = {}
    for name in (MACRO_F1, ACCURACY) if both else ():
        own, other = (np.array([getattr(pair[side], name) for pair in both]) for side in (0, 1))
        by_fold[name] = (
            fold_difference(own, other, confidence=confidence)
            if is_fair
            else Estimate(float(other.mean() - own.mean()), None, None)
        )
    limit = "" if len(both) > 1 and is_fair else "one fold only" if is_fair else "the folds hold other people"
    difference, only = None, None
    if judged is not None and place is not None:
        difference, only = judged.difference[place], judged.only[place]
        limit = judged.limit
    return Versus(
        label=second.label,
        first=first.label,
        confidence=confidence,
        difference=difference,
        only=only,
        by_fold=by_fold or None,
        folds=len(both),
        folds_better=sum(other.macro_f1 > own.macro_f1 for own, other in both),
        limit=limit,
    )


def _three(value: float) -> str:
    """Write a number with three decimals, and none of them as -0.000."""
    return f"{round(value, 3) + 0.0:.3f}"


@dataclass(frozen=True)
class Compared:
    """All runs compared with the first."""

    runs: tuple[RunScores, ...]  # in the order given
    settings: tuple[DifferingOption, ...]  # options in which they differ
    versus: tuple[Versus, ...]  # each run but the first
    same_folds: bool  # whether all are known to have held out the same people in each fold
    notes: tuple[str, ...]  # what limits the comparison, as sentences
    photos: int = 0  # photos that all predictions answer for; 0 without predictions and truth
    people: int = 0  # people on them
    photos_without_person: int = 0  # photos on which nobody is named
    best: BestOf | None = None  # the best by macro-F1; None if that was not asked

    @property
    def measures(self) -> list[str]:
        """What is compared over all photos; the folds have macro-F1 and accuracy."""
        own = next((run.own for run in self.runs if run.own), None)
        return list(own) if own else [MACRO_F1, ACCURACY]

    @property
    def fold_numbers(self) -> list[int]:
        """Every fold that a run has a score of."""
        return sorted({one.fold for run in self.runs for one in run.folds})

    @property
    def sentences(self) -> list[str]:
        """Say what each comparison found, and what the best is worth."""
        best = [] if self.best is None else [self.best.sentence(self.runs[self.best.place].label)]
        return [*(one.sentence for one in self.versus), *best]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the sentences first, floats unrounded."""
        data = asdict(self)
        for plain, one in zip(data["versus"], self.versus, strict=True):
            plain |= {"is_noise": one.is_noise, "detectable": one.detectable, "sentence": one.sentence}
        if self.best is not None:
            data["best"] = {"label": self.runs[self.best.place].label, **data["best"]}
        return {"sentences": self.sentences, **data}


def fold_difference(first: Floats, second: Floats, *, confidence: float = 0.95) -> Estimate:
    """Return the mean of `second - first` over folds, (k,) each, with the interval of the corrected t-test.

    Without an interval, which holds the difference with that confidence, if there is one fold only.
    """
    differences = second - first
    folds = len(differences)
    mean = float(differences.mean())
    if folds < 2:
        return Estimate(mean, None, None)
    deviation = np.sqrt((1 / folds + 1 / (folds - 1)) * differences.var(ddof=1))
    reach = float(stdtrit(folds - 1, 1 - (1 - confidence) / 2) * deviation)
    return Estimate(mean, mean - reach, mean + reach)


def results_by_fold(judged: Judged, answer: Integers) -> tuple[FoldResult, ...]:
    """Score answers, (N,), by the fold of the manifest, or of all predictions if they agree on it."""
    fold = judged.fold
    if not judged.manifest.has("fold"):
        folds = folds_of(judged.given, judged.place)
        if folds is not None and all(np.array_equal(one, folds[0]) for one in folds):
            fold = folds[0].astype(np.int64)
    if fold is None or not (fold >= 0).any():
        return ()
    classes = len(judged.space)
    cell = metrics.cells(judged.truth, answer, classes=classes)
    people = number_people(judged.person, rows=len(cell))
    found = fold_scores(cell, people, fold, classes=classes)
    return tuple(FoldResult(one.fold, one.macro_f1, one.accuracy) for one in found.each)


def averaged(scores: Sequence[RunScores]) -> list[RunScores]:
    """Add the means over the folds that all runs have."""
    common = set.intersection(*({fold.fold for fold in one.folds} for one in scores))
    if not common:
        return list(scores)
    found = []
    for one in scores:
        pairs = np.array([(fold.macro_f1, fold.accuracy) for fold in one.folds if fold.fold in common])
        found.append(replace(one, macro_f1=spread(pairs[:, 0]), accuracy=spread(pairs[:, 1])))
    return found


def held_out(run: Run, on: Manifest | None, judged: Judged | None = None) -> Mapping[int, NDArray[np.bool_]]:
    """Return who was held out in each fold of a run, (people of `on`,); empty if that is not known.

    Checkpoints know whom they have seen. People whom no model of several has seen were left out of
    training (weight 0) and are in no fold. A run without checkpoints has predictions among the judged ones.
    """
    if on is None:
        return {}
    people = on.people
    if run.trained:
        if any(one.seen is None for one in run.trained):
            return {}
        unseen = {one.fold: ~one.seen.contains(people.names) for one in run.trained if one.seen is not None}
        nobody = np.all(list(unseen.values()), axis=0) if len(unseen) > 1 else np.zeros(len(people), np.bool_)
        return {fold: mask & ~nobody for fold, mask in unseen.items()}
    if judged is None or run.predictions is None or run.predictions.fold is None:
        return {}
    place = next(at for one, at in zip(judged.given, judged.place, strict=True) if one is run.predictions)
    fold, person = run.predictions.fold[place], people.codes[judged.rows]
    return {
        int(number): np.isin(np.arange(len(people)), person[fold == number])
        for number in np.unique(fold[fold >= 0])
    }


def same_folds(
    people: Sequence[Mapping[int, NDArray[np.bool_]]], manifests: Sequence[frozenset[str]]
) -> bool:
    """Whether runs are known to have held out the same people in the folds that they have in common.

    Known by the manifest that they were trained on, or by the people. In one run people may have been left
    out of training that were not in the other; so one's held-out people may be some of the other's. People
    of each run are as from `held_out`, manifests are digests.
    """
    if all(manifests) and len(frozenset.union(*manifests)) == 1:
        return True
    first = people[0]
    for other in people[1:]:
        common = first.keys() & other.keys()
        if not common or not all(_within(first[fold], other[fold]) for fold in common):
            return False
    return True


def _within(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    both = int((one & other).sum())
    return both > 0 and both == min(int(one.sum()), int(other.sum()))
