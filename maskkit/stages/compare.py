"""Compare trainings: in what they differ, how each scores, and whether a difference is more than noise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskkit.artifacts.header import same_space
from maskkit.artifacts.history import differing
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import Run, labels_of
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError, examples
from maskkit.scoring.best_of import BestOf, best_of
from maskkit.scoring.judged import Judged
from maskkit.scoring.metrics import ACCURACY, MACRO_F1
from maskkit.scoring.paired import paired
from maskkit.scoring.run_comparison import (
    Compared,
    DifferingOption,
    FoldResult,
    RunScores,
    against_first,
    averaged,
    held_out,
    results_by_fold,
    same_folds,
)

log = logging.getLogger(__name__)


def compare(
    runs: Sequence[Run],
    *,
    on: Manifest | None = None,
    best: bool = False,
    seed: int = 0,
    allow_leak: bool = False,
    allow_different_folds: bool = False,
) -> Compared:
    """Compare runs with the first of them.

    With the truth, and predictions of both, two runs are scored on the same photos, and the interval of
    their difference is over people, the same for both. Otherwise the scores that the trainings recorded are
    compared fold by fold, which means something only if each fold held out the same people in both.

    Runs are two or more, from `open_runs`; `on` holds the truth. `best` asks what the best of them is worth
    on other people, for which people are drawn by `seed`.

    Raises:
        MaskkitError: Runs have different classes, or nothing that can be compared; or their folds held out
            different people, unless `allow_different_folds`.
        RefusedError: Models have seen people they are scored on, unless `allow_leak`.
    """
    _check(runs, on)
    notes = _Notes()
    labels = labels_of([run.name for run in runs])
    places = [index for index, run in enumerate(runs) if on is not None and run.predictions is not None]
    judged = None
    if on is not None and places:
        given = [run.predictions for run in runs if run.predictions is not None]
        judged = Judged.of(on, given, "common", option="--on MANIFEST").unseen(allow_leak=allow_leak)
    _note_left_out(runs, labels, on, judged, notes)
    scores = _scores(runs, labels, judged, places, notes)
    is_same = same_folds([held_out(run, on, judged) for run in runs], [run.manifests for run in runs])
    if not is_same:
        _note_other_folds(scores, notes, allowed=allow_different_folds)
    _note_missing_folds(scores, notes)
    scores = averaged(scores)
    found = None
    if judged is not None and 0 in places and len(places) > 1:
        found = paired(
            judged.truth, judged.panel.answers, space=judged.space, person=judged.person,
            comparisons=len(runs) - 1,
        )  # fmt: skip
        for index, own in zip(places, found.own, strict=True):
            scores[index] = replace(scores[index], own=own)
    unknown = [label for run, label in zip(runs, labels, strict=True) if not run.history]
    if unknown:
        notes.append(f"how {examples(unknown)} came about is not known: a CSV carries no history")
    options = differing([run.history for run in runs])
    judged_at = [places.index(index) - 1 if index in places else None for index in range(len(runs))]
    return Compared(
        runs=tuple(scores),
        settings=tuple(DifferingOption(stage, name, values) for (stage, name), values in options),
        versus=tuple(
            against_first(scores, index, found, place=judged_at[index], same_folds=is_same)
            for index in range(1, len(runs))
        ),
        same_folds=is_same,
        notes=tuple(notes),
        photos=found.photos if found else 0,
        people=found.people if found else 0,
        photos_without_person=int((judged.person < 0).sum()) if found and judged else 0,
        best=_best(judged, places, seed) if best else None,
    )


def _best(judged: Judged | None, places: Sequence[int], seed: int) -> BestOf:
    """Judge the best of the runs that have predictions, which are at these places among all."""
    if judged is None or len(places) < 2:
        raise MaskkitError(
            "there are no two runs with predictions to choose the best of",
            why="what the best is worth is seen on people drawn anew, photo by photo",
            fix="predict with --oof, and give the manifest: --on MANIFEST",
        )
    work_begins()
    found = best_of(judged.truth, judged.panel.answers, space=judged.space, person=judged.person, seed=seed)
    return replace(found, place=places[found.place])


class _Notes(list[str]):
    """What limits the comparison: logged at once, and kept for the report."""

    def append(self, text: str) -> None:
        log.warning("%s", text)
        super().append(text)


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


def _note_left_out(
    runs: Sequence[Run], labels: Sequence[str], on: Manifest | None, judged: Judged | None, notes: _Notes
) -> None:
    """Note which runs and which photos are not scored together."""
    lacking = [label for label, run in zip(labels, runs, strict=True) if run.predictions is None]
    if on is None and not lacking:
        notes.append("give the truth by --on to draw people: without it, only folds can be compared")
    if on is not None and lacking:
        notes.append(
            f"{examples(lacking)} without predictions: compared by the scores of training; "
            "`maskkit predict --oof` makes them"
        )
    if judged is not None:
        for note in judged.left_out([label for label in labels if label not in lacking]):
            notes.append(note)


def _scores(
    runs: Sequence[Run], labels: Sequence[str], judged: Judged | None, places: Sequence[int], notes: _Notes
) -> list[RunScores]:
    """Score each run by fold: all by their predictions, or else by what training recorded.

    Raises:
        MaskkitError: A run has neither.
    """
    scores = []
    for index, (run, label) in enumerate(zip(runs, labels, strict=True)):
        # The folds' mean macro-F1 after each epoch, as far as all folds go.
        curve = tuple(float(np.mean(each)) for each in zip(*(one.curve for one in run.trained), strict=False))
        if run.trained and len(places) < len(runs):
            folds = tuple(
                FoldResult(one.fold, one.scores[MACRO_F1], one.scores[ACCURACY]) for one in run.trained
            )
            scores.append(RunScores(run.name, label, "training", folds, curve=curve))
        elif judged is not None and index in places:
            folds = results_by_fold(judged, judged.panel.answers[places.index(index)])
            scores.append(RunScores(run.name, label, "predictions", folds, curve=curve))
        else:
            raise MaskkitError(
                f"{run.name} does not say how right it is",
                why="predictions hold no truth",
                fix="give the manifest that does: --on folds.parquet",
            )
        if any(record.stage == "train" and record.options.get("allow_leak") for record in run.history):
            notes.append(f"{label} was trained with --allow-leak: its scores may be inflated")
    if len({one.basis for one in scores}) > 1:
        notes.append(
            "some scores are of predictions and some of training, which averages no views, and may have "
            "kept the epoch that was best on the very fold: they are not quite alike"
        )
    return scores


def _note_other_folds(scores: Sequence[RunScores], notes: _Notes, *, allowed: bool) -> None:
    """Note that folds may have held out different people, or raise where only folds are compared."""
    if all(one.basis == "predictions" for one in scores):
        notes.append(
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
    notes.append(
        "the folds may have held out different people: what their scores differ in may be due to that alone"
    )


def _note_missing_folds(scores: Sequence[RunScores], notes: _Notes) -> None:
    numbers = [{fold.fold for fold in one.folds} for one in scores]
    common = sorted(set.intersection(*numbers))
    if len(common) < len(set.union(*numbers)):
        notes.append(
            f"fold {examples(common, most=20)} alone is in all runs: means are over it"
            if len(common) == 1
            else f"the folds in all runs are {examples(common, most=20)}: means are over them"
            if common
            else "no fold is in all runs: there are no means to compare"
        )
