"""Score predictions against the truth, with intervals that respect that photos come in people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.header import merged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.labels import LabelSpace
from maskkit.scoring.boundary import Boundary, boundaries, signed_distances
from maskkit.scoring.calibration import calibration
from maskkit.scoring.changed_answers import against as compared
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.judged import Scored, check_answers, refuse_leak
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import log_loss, macro_f1
from maskkit.scoring.mistakes import WrongAnswer, factors_apart, losses, worst_mistakes
from maskkit.scoring.noise import Noise, noise
from maskkit.scoring.slice_columns import FACE, LOOKS, By, Cut, cut, parse_by
from maskkit.scoring.slice_scores import Slice, Slicing, score_slices


def evaluate(
    manifest: Manifest,
    predictions: Predictions,
    *,
    by: Sequence[str] = (),
    against: Predictions | None = None,
    worst: int = 20,
    replicates: int = 1000,
    seed: int = 0,
    allow_leak: bool = False,
) -> Evaluation:
    """Score every labelled image against `label`, the truth, whatever the training target was.

    Args:
        manifest: Holds the truth. Predictions may cover all of it, or whole folds.
        predictions: Matched by path.
        by: What to cut into slices by, such as `age:2`, `gender,mask` or `brightness:q4`.
        against: Other predictions, to compare these with.
        worst: How many of the worst mistakes to name.
        replicates: Bootstrap replicates over people.
        seed: Of the bootstrap.
        allow_leak: Score although models have seen the people.

    Raises:
        MaskkitError: Images or classes do not match; nothing is dropped silently.
        RefusedError: The models have seen people they are scored on.
    """
    manifest.need("label")
    cuts = [parse_by(text) for text in by]
    check_answers(manifest, predictions)
    scored = Scored.of(manifest, predictions)
    refuse_leak(manifest, predictions, scored.rows, allow_leak=allow_leak)
    bootstrap = {"replicates": replicates, "seed": seed}
    other = None
    if against is not None:
        other = compared(manifest, predictions, against, allow_leak=allow_leak, **bootstrap)
    computed = _computed(manifest, scored.rows, cuts)
    groups = [cut(manifest, one, scored.rows, computed) for one in cuts]
    space, probs = manifest.space, predictions.probs
    scores = score(
        scored.truth, scored.answer, space=space, person=scored.person, fold=scored.fold, **bootstrap
    )
    return Evaluation(
        scores,
        None if probs is None else log_loss(scored.truth, probs, scored.place),
        merged([predictions.header.history, manifest.header.history]),
        adjusted=predictions.adjusted,
        calibration=None if probs is None else calibration(scored.truth, probs[scored.place]),
        boundaries=tuple(_boundaries(manifest, scored, **bootstrap)),
        mistakes=() if probs is None else _mistakes(manifest, scored, probs, worst),
        slices=tuple(
            Slicing.of(one.text, _slices(scored, into, space, **bootstrap))
            for one, into in zip(cuts, groups, strict=True)
        ),
        folds_noise=_noise_of_folds(scored, space, **bootstrap),
        against=other,
    )


def _slices(scored: Scored, into: Cut, space: LabelSpace, *, replicates: int, seed: int) -> list[Slice]:
    return score_slices(
        scored.truth, scored.answer, into, space=space, person=scored.person, replicates=replicates, seed=seed
    )


def _noise_of_folds(scored: Scored, space: LabelSpace, *, replicates: int, seed: int) -> Noise | None:
    """Look whether the best fold is more than noise above the second, by each fold's own people."""
    if scored.fold is None:
        return None
    held_out = np.flatnonzero(scored.fold >= 0)
    numbers, code = np.unique(scored.fold[held_out], return_inverse=True)
    each = score_slices(
        scored.truth[held_out],
        scored.answer[held_out],
        Cut(tuple(f"fold {number}" for number in numbers), code),
        space=space,
        person=scored.person[held_out],
        macro_f1=macro_f1,
        replicates=replicates,
        seed=seed,
    )
    return noise([one.name for one in each], [one.macro_f1 for one in each])


def _boundaries(manifest: Manifest, scored: Scored, *, replicates: int, seed: int) -> Iterator[Boundary]:
    shape = manifest.space.shape
    levels = zip(np.unravel_index(scored.truth, shape), np.unravel_index(scored.answer, shape), strict=True)
    for factor, (truth, answer) in zip(manifest.space.factors, levels, strict=True):
        if factor.is_numeric:
            yield from boundaries(
                factor,
                manifest.numbers(factor.name)[scored.rows],
                truth != answer,
                person=scored.person,
                replicates=replicates,
                seed=seed,
            )


def _mistakes(
    manifest: Manifest, scored: Scored, probs: NDArray[np.float32], worst: int
) -> tuple[WrongAnswer, ...]:
    wrong = np.flatnonzero(scored.answer != scored.truth)
    own = probs[scored.place[wrong]]  # (wrong, C)
    chosen = worst_mistakes(scored.truth[wrong], own, worst)
    loss = losses(scored.truth[wrong], own)
    table = manifest.table.select(["path", "person_id"]).take(pa.array(scored.rows[wrong[chosen]]))
    numeric = [factor for factor in manifest.space.factors if factor.is_numeric]
    numbers = {factor.name: manifest.numbers(factor.name)[scored.rows] for factor in numeric}
    apart = {factor.name: signed_distances(numbers[factor.name], factor.cuts)[0] for factor in numeric}
    names = manifest.space.names
    found = []
    for path, person, index in zip(*table.to_pydict().values(), chosen, strict=True):
        at = wrong[index]
        truth, answer = int(scored.truth[at]), int(scored.answer[at])
        known = [name for name in numbers if not np.isnan(numbers[name][at])]
        found.append(
            WrongAnswer(
                path=path,
                person=person,
                fold=None if scored.fold is None or scored.fold[at] < 0 else int(scored.fold[at]),
                truth=names[truth],
                answer=names[answer],
                confidence=float(own[index, answer]),
                truth_probability=float(own[index, truth]),
                loss=float(loss[index]),
                differs=factors_apart(manifest.space, truth, answer),
                numbers={name: float(numbers[name][at]) for name in known},
                distances={name: float(apart[name][at]) for name in known},
            )
        )
    return tuple(found)


def _computed(
    manifest: Manifest, rows: NDArray[np.int64], cuts: Sequence[By]
) -> dict[str, NDArray[np.float64]]:
    """Return what slices need and the manifest does not have, of these rows: the size of faces, light.

    Raises:
        MaskkitError: There are no faces, or no photo can be read.
    """
    from maskkit.imaging.cropping import boxes_of  # OpenCV, which scores alone need not
    from maskkit.imaging.survey import survey_of

    wanted = {column for one in cuts for column in one.columns if not manifest.has(column)}
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
