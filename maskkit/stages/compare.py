"""Compare trainings: in what they differ, how each scores, and whether a difference is more than noise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.header import same_space
from maskkit.artifacts.history import differing
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import Run, labels_of
from maskkit.errors import MaskkitError, examples
from maskkit.scoring import metrics
from maskkit.scoring.bootstrap import number_people
from maskkit.scoring.judged import Common
from maskkit.scoring.measuring import fold_scores, spread
from maskkit.scoring.paired_bootstrap import ACCURACY, MACRO_F1, Paired, paired
from maskkit.scoring.run_comparison import (
    CONFIDENCE,
    Compared,
    DifferingOption,
    FoldResult,
    RunScores,
    against_first,
)
from maskkit.scoring.same_folds import held_out, same_folds

log = logging.getLogger(__name__)


def compare(
    runs: Sequence[Run],
    *,
    on: Manifest | None = None,
    replicates: int = 1000,
    seed: int = 0,
    allow_leak: bool = False,
    allow_different_folds: bool = False,
) -> Compared:
    """Compare runs with the first of them.

    With the truth, and predictions of both, two runs are scored on the same photos, and the interval of
    their difference comes from people drawn for both. Otherwise the scores that the trainings recorded are
    compared fold by fold, which means something only if each fold held out the same people in both.

    Args:
        runs: Two or more, from `open_runs`.
        on: Holds the truth.
        replicates: Bootstrap replicates over people, for each comparison.
        seed: Of the bootstrap.
        allow_leak: Score although models have seen the people.
        allow_different_folds: Show scores of folds that held out different people beside each other.

    Raises:
        MaskkitError: Runs have different classes, or nothing that can be compared.
        RefusedError: Models have seen people they are scored on.
    """
    _check(runs, on)
    told = _Told()
    labels = labels_of([run.name for run in runs])
    speaking = [] if on is None else [index for index, run in enumerate(runs) if run.predictions is not None]
    common = _common(runs, labels, on, speaking, told, allow_leak=allow_leak)
    scores = _scores(runs, labels, common, speaking, told)
    is_same = same_folds([held_out(run, on) for run in runs], [run.manifests for run in runs])
    if not is_same:
        _tell_of_folds(scores, told, allowed=allow_different_folds)
    scores = _averaged(scores, told)
    judged = None
    if common is not None and 0 in speaking and len(speaking) > 1:
        judged = _judged(common, len(runs) - 1, replicates, seed)
        for index, own in zip(speaking, judged.own, strict=True):
            scores[index] = replace(scores[index], own=own)
    places = [speaking.index(index) - 1 if index in speaking else None for index in range(len(runs))]
    return Compared(
        runs=tuple(scores),
        settings=_settings(runs, labels, told),
        versus=tuple(
            against_first(scores, index, judged, place=places[index], same_folds=is_same)
            for index in range(1, len(runs))
        ),
        same_folds=is_same,
        seed=seed,
        notes=tuple(told.notes),
        rows=judged.rows if judged else 0,
        people=judged.people if judged else 0,
        rows_without_person=int((common.person < 0).sum()) if judged and common else 0,
        replicates=judged.replicates if judged else 0,
    )


@dataclass
class _Told:
    """What limits the comparison: told at once, and kept for the report."""

    notes: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        log.warning("%s", text)
        self.notes.append(text)


def _check(runs: Sequence[Run], on: Manifest | None) -> None:
    if len(runs) < 2:
        raise MaskkitError(
            f"there is one run only: {examples(run.name for run in runs)}",
            why="files of one folder that were trained with the same options but the fold are one run",
            fix="give a second run, or use `maskkit evaluate` to score one",
        )
    known = [(run.name, run.space) for run in runs if run.space is not None]
    known += [] if on is None else [(on.name, on.space)]
    for name, space in known[1:]:
        same_space(known[0][1], space, names=(known[0][0], name))


def _common(
    runs: Sequence[Run],
    labels: Sequence[str],
    on: Manifest | None,
    speaking: Sequence[int],
    told: _Told,
    *,
    allow_leak: bool,
) -> Common | None:
    """Return the photos that all predictions answer for, and tell what is left out."""
    silent = [labels[index] for index in range(len(runs)) if index not in speaking]
    if on is None:
        if all(run.predictions is not None for run in runs):
            told("give the truth by --on to draw people: without it, only folds can be compared")
        return None
    if silent:
        told(
            f"{examples(silent)} without predictions: compared by the scores of training; "
            "`maskkit predict --oof` makes them"
        )
    if not speaking:
        return None
    given = [run.predictions for run in runs if run.predictions is not None]
    common = Common.of(on, given, allow_leak=allow_leak)
    for index, lacking, strangers in zip(speaking, common.lacking, common.strangers, strict=True):
        if lacking:
            told(f"{labels[index]} has no answer for {lacking} labelled photos: they are left out for all")
        if strangers:
            told(f"{labels[index]} answers for {strangers} photos that {on.name} does not have")
    return common


def _scores(
    runs: Sequence[Run], labels: Sequence[str], common: Common | None, speaking: Sequence[int], told: _Told
) -> list[RunScores]:
    """Score each run by fold: all by their predictions, or else by what training recorded.

    Raises:
        MaskkitError: A run has neither.
    """
    scores = []
    by_predictions = len(speaking) == len(runs)
    for index, (run, label) in enumerate(zip(runs, labels, strict=True)):
        if run.trained and not by_predictions:
            folds = tuple(
                FoldResult(one.fold, one.scores[MACRO_F1], one.scores[ACCURACY]) for one in run.trained
            )
            scores.append(RunScores(run.name, label, "training", folds, curve=_curve(run)))
        elif common is not None and index in speaking:
            answer = common.answers[speaking.index(index)]
            folds = _folds_of(common, answer)
            scores.append(RunScores(run.name, label, "predictions", folds, curve=_curve(run)))
        else:
            raise MaskkitError(
                f"{run.name} does not say how right it is",
                why="predictions hold no truth",
                fix="give the manifest that does: --on folds.parquet",
            )
        if any(record.stage == "train" and record.options.get("allow_leak") for record in run.history):
            told(f"{label} was trained with --allow-leak: its scores may be inflated")
    if len({one.basis for one in scores}) > 1:
        told(
            "some scores are of predictions and some of training, which chose its best epoch by the very "
            "fold and averages no views: they are not quite alike"
        )
    return scores


def _curve(run: Run) -> tuple[float, ...]:
    """Return the folds' mean macro-F1 after each epoch, as far as all folds go."""
    epochs = zip(*(one.curve for one in run.trained), strict=False)
    return tuple(float(np.mean(scores)) for scores in epochs)


def _folds_of(common: Common, answer: NDArray[np.int64]) -> tuple[FoldResult, ...]:
    if common.fold is None:
        return ()
    classes = len(common.space)
    found = fold_scores(
        metrics.cells(common.truth, answer, classes=classes),
        number_people(common.person, rows=len(common.truth)),
        common.fold,
        classes=classes,
    )
    return tuple(FoldResult(one.fold, one.macro_f1, one.accuracy) for one in found.each)


def _judged(common: Common, comparisons: int, replicates: int, seed: int) -> Paired:
    return paired(
        common.truth,
        list(common.answers),
        space=common.space,
        person=common.person,
        comparisons=comparisons,
        confidence=CONFIDENCE,
        replicates=replicates,
        seed=seed,
    )


def _tell_of_folds(scores: Sequence[RunScores], told: _Told, *, allowed: bool) -> None:
    """Tell that folds may have held out different people, or raise where only folds are compared."""
    if all(one.basis == "predictions" for one in scores):
        told(
            "the runs are not known to have held out the same people in each fold: no interval covers "
            "the luck of the split"
        )
        return
    if not allowed:
        raise MaskkitError(
            "the runs are not known to have held out the same people in each fold: "
            + ", ".join(one.name for one in scores),
            why="they were trained on different manifests, and who is in a fold changes its score more "
            "than most options do",
            fix="give the manifest by --on: its people tell whether the folds are the same, and with "
            "out-of-fold predictions of both nothing depends on that; or use --allow-different-folds to "
            "see the scores beside each other",
        )
    told("the folds may have held out different people: what their scores differ in may be due to that alone")


def _averaged(scores: Sequence[RunScores], told: _Told) -> list[RunScores]:
    """Add the means over the folds that all runs have."""
    numbers = [{fold.fold for fold in one.folds} for one in scores]
    common = set.intersection(*numbers)
    if len(common) < len(set.union(*numbers)):
        told(
            f"fold {examples(sorted(common), most=20)} alone is in all runs: means are over it"
            if len(common) == 1
            else f"the folds in all runs are {examples(sorted(common), most=20)}: means are over them"
            if common
            else "no fold is in all runs: there are no means to compare"
        )
    if not common:
        return list(scores)
    return [
        replace(
            one,
            macro_f1=spread(np.array([fold.macro_f1 for fold in one.folds if fold.fold in common])),
            accuracy=spread(np.array([fold.accuracy for fold in one.folds if fold.fold in common])),
        )
        for one in scores
    ]


def _settings(runs: Sequence[Run], labels: Sequence[str], told: _Told) -> tuple[DifferingOption, ...]:
    unknown = [label for run, label in zip(runs, labels, strict=True) if not run.history]
    if unknown:
        told(f"how {examples(unknown)} came about is not known: a CSV carries no history")
    return tuple(
        DifferingOption(stage, name, values)
        for (stage, name), values in differing([run.history for run in runs])
    )
