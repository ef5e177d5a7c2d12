"""Runs fold by fold: how each scores, whom each held out, and whether their folds are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import Run
from maskkit.scoring import metrics
from maskkit.scoring.bootstrap import number_people
from maskkit.scoring.judged import Judged
from maskkit.scoring.measuring import fold_scores, spread
from maskkit.scoring.metrics import Integers
from maskkit.scoring.panel import folds_of
from maskkit.scoring.run_comparison import FoldResult, RunScores


def results_by_fold(judged: Judged, answer: Integers) -> tuple[FoldResult, ...]:
    """Score answers, (N,), by the fold of the manifest, or of all predictions if they agree on it."""
    fold = judged.fold
    if not judged.manifest.has("fold"):
        folds = folds_of(judged.given, judged.place)
        is_known = folds is not None and all((one == folds[0]).all() for one in folds)
        fold = folds[0].astype(np.int64) if folds is not None and is_known else None
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
    return [
        replace(
            one,
            macro_f1=spread(np.array([fold.macro_f1 for fold in one.folds if fold.fold in common])),
            accuracy=spread(np.array([fold.accuracy for fold in one.folds if fold.fold in common])),
        )
        for one in scores
    ]


def held_out(run: Run, on: Manifest | None, judged: Judged | None = None) -> Mapping[int, NDArray[np.bool_]]:
    """Return who was held out in each fold of a run, (people of `on`,); empty if that is not known.

    Checkpoints know whom they have seen. People whom no model of several has seen were left out of
    training (weight 0) and are in no fold.

    Args:
        run: With checkpoints, or with predictions that are among the judged ones.
        on: Names the people.
        judged: Its photos that are in all predictions.
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
    out of training that were not in the other; so one's held-out people may be some of the other's.

    Args:
        people: People of each run, as `held_out` returns it.
        manifests: Digests of the manifests that each run was trained on.
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
