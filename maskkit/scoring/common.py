"""What several predictions answer for alike: the photos on which models can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.scoring.matching import check_answers, places, refuse_leak

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Common:
    """The labelled photos for which all predictions have an answer.

    Args:
        space: The label space.
        rows: Where they are in the manifest, (N,).
        truth: Class of each, (N,).
        answers: What each of the predictions says, (predictions, N).
        person: A code per person, negative where unknown, (N,).
        fold: The fold of each, (N,), by the manifest, or by the predictions if they agree; None if unknown.
        lacking: Labelled photos that each of the predictions has no answer for.
        strangers: Answers of each for photos that the manifest does not have.
    """

    space: LabelSpace
    rows: Rows
    truth: Rows
    answers: Rows
    person: Rows
    fold: Rows | None
    lacking: tuple[int, ...]
    strangers: tuple[int, ...]

    @classmethod
    def of(cls, manifest: Manifest, given: Sequence[Predictions], *, allow_leak: bool) -> Common:
        """Find them.

        Raises:
            MaskkitError: The classes are others, or no photo is common.
            RefusedError: A model has seen people who are scored.
        """
        manifest.need("label")
        for one in given:
            check_answers(manifest, one)
        place = np.stack([places(manifest, one) for one in given])  # (predictions, rows)
        labelled = manifest.labels >= 0
        rows = np.flatnonzero(labelled & (place >= 0).all(axis=0))
        if not len(rows):
            raise MaskkitError(
                f"no labelled photo of {manifest.name} is in all predictions: "
                + examples(one.name for one in given),
                why="models are compared on the same photos",
                fix="predict the same manifest with both",
            )
        for one in given:
            refuse_leak(manifest, one, rows, allow_leak=allow_leak)
        return cls(
            space=manifest.space,
            rows=rows,
            truth=manifest.labels[rows],
            answers=np.stack([one.answer[at[rows]] for one, at in zip(given, place, strict=True)]),
            person=manifest.known_people[rows],
            fold=_folds(manifest, given, place, rows),
            lacking=tuple((labelled & (place < 0)).sum(axis=1).tolist()),
            strangers=tuple(len(one) - int((at >= 0).sum()) for one, at in zip(given, place, strict=True)),
        )


def _folds(manifest: Manifest, given: Sequence[Predictions], place: Rows, rows: Rows) -> Rows | None:
    if manifest.has("fold"):
        folds = manifest.folds[rows]
    else:
        said = [one.fold[at[rows]] for one, at in zip(given, place, strict=True) if one.fold is not None]
        if len(said) < len(given) or any((one != said[0]).any() for one in said):
            return None
        folds = said[0].astype(np.int64)
    return folds if (folds >= 0).any() else None
