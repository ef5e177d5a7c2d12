"""Score predictions against the truth, with intervals that respect that photos come in people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import Promise
from maskkit.artifacts.header import merged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.fitting.conformal import Calibrated
from maskkit.scoring.boundary import Boundary, boundaries
from maskkit.scoring.calibration import calibration
from maskkit.scoring.changed_answers import against as compared
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.gaps import Gap, accuracy_gap
from maskkit.scoring.judged import Judged
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import log_loss
from maskkit.scoring.mistakes import wrong_answers
from maskkit.scoring.set_scores import SetScores
from maskkit.scoring.shown_photos import shown_photos
from maskkit.scoring.slice_columns import FACE, LOOKS, By, Cut, cut, parse_by
from maskkit.scoring.slice_scores import Slicing, score_slices


def evaluate(
    manifest: Manifest,
    predictions: Predictions,
    *,
    by: Sequence[str] = (),
    against: Predictions | None = None,
    worst: int = 20,
    most_shown: int = 0,
    promise: Promise | None = None,
    allow_leak: bool = False,
) -> Evaluation:
    """Score every labelled photo against `label`, the truth, whatever the training target was.

    Predictions are matched by path, and may cover all of the manifest, or whole folds; those of `against` are
    compared with them. Slices are cut by such as `age:2`, `gender,mask` or `brightness:q4`; `worst` is how
    many of the worst mistakes are named, and `most_shown` how many photos a page may show beside them. Sets
    that keep a promise are calibrated for each fold on the others; without one, those that the predictions
    have are scored.

    Raises:
        MaskkitError: Photos or classes do not match; nothing is dropped silently.
        RefusedError: The models have seen people they are scored on, unless `allow_leak`.
    """
    cuts = [parse_by(text) for text in by]
    judged = Judged.of(manifest, [predictions], "whole folds").unseen(allow_leak=allow_leak)
    other = None
    if against is not None:
        both = Judged.of(manifest, [against, predictions], "common").unseen(allow_leak=allow_leak)
        other = compared(both)
    computed = _computed(manifest, judged.rows, cuts)
    into = {one.text: cut(manifest, one, judged.rows, computed) for one in cuts}
    truth, answer, probs = judged.truth, judged.answer, judged.probs
    space, person = judged.space, judged.person
    return Evaluation(
        score(truth, answer, space=space, person=person, fold=judged.fold),
        None if probs is None else log_loss(truth, probs),
        merged([predictions.header.history, manifest.header.history]),
        adjusted=predictions.adjusted,
        calibration=None if probs is None else calibration(truth, probs),
        boundaries=tuple(_boundaries(judged)),
        mistakes=wrong_answers(judged, most=worst),
        slices=tuple(
            Slicing(text, tuple(score_slices(truth, answer, one, space=space, person=person)))
            for text, one in into.items()
        ),
        gaps=tuple(_gaps(judged, into)),
        sets=_set_scores(judged, promise),
        against=other,
        shown=shown_photos(judged, into, most=most_shown),
    )


def _gaps(judged: Judged, slices: Mapping[str, Cut]) -> Iterator[Gap]:
    """Compare the levels of each factor, and the slices of each kind, in the share of right answers."""
    levels = np.unravel_index(judged.truth, judged.space.shape)
    factors = {
        factor.name: Cut(factor.levels, np.asarray(level, np.int64))
        for factor, level in zip(judged.space.factors, levels, strict=True)
    }
    for by, into in {**factors, **slices}.items():
        is_right = judged.answer == judged.truth
        gap = accuracy_gap(by, into.names, into.code, is_right, judged.person)
        if gap is not None:
            yield gap


def _set_scores(judged: Judged, promise: Promise | None) -> SetScores | None:
    sets = judged.given[0].sets
    if promise is not None:
        sets = Calibrated.of(judged, promise).sets_of_others()
    elif sets is not None:
        sets = sets.take(judged.place[0])
    if sets is None:
        return None
    return SetScores.of(sets, judged.truth, judged.answer, judged.person, space=judged.space)


def _boundaries(judged: Judged) -> Iterator[Boundary]:
    shape = judged.space.shape
    levels = zip(np.unravel_index(judged.truth, shape), np.unravel_index(judged.answer, shape), strict=True)
    for factor, (truth, answer) in zip(judged.space.factors, levels, strict=True):
        if factor.is_numeric:
            numbers = judged.manifest.numbers(factor.name)[judged.rows]
            yield from boundaries(factor, numbers, truth != answer, person=judged.person)


def _computed(
    manifest: Manifest, rows: NDArray[np.int64], cuts: Sequence[By]
) -> dict[str, NDArray[np.float64]]:
    """Return what slices need and the manifest does not have, of these rows: the size of faces, light.

    Raises:
        MaskkitError: There are no faces, or no photo can be read.
    """
    from maskkit.imaging.cropping import boxes_of  # OpenCV, which scores alone need not
    from maskkit.imaging.surveyed import survey_of

    wanted = {part.column for one in cuts for part in one.parts if not manifest.has(part.column)}
    found = {}
    if FACE in wanted:
        manifest.need("box")
        x0, y0, x1, y1 = boxes_of(manifest)[rows].astype(np.float64).T
        found[FACE] = (x1 - x0) * (y1 - y0)
    if wanted & set(LOOKS):
        looks = survey_of(manifest.select(rows), half=True)
        for name in wanted & set(LOOKS):
            found[name] = np.where(looks.readable, looks[name].astype(np.float64), np.nan)
    return found
