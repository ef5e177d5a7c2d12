"""Out-of-fold predictions of several members beside the truth: what a blend is fitted to and judged by."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.deciding.voting import Panel
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.scoring.matching import check_answers, places, refuse_leak

log = logging.getLogger(__name__)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """What members said of people they had not seen, and the truth.

    Args:
        space: The label space.
        names: Of the members.
        panel: What they say, in the manifest's order.
        truth: Class of each photo, (N,).
        person: A code per person, negative where unknown, (N,).
        path: Of each photo, (N,).
        fold: The fold that all members were trained without, (N,); -1 where they differ, None if unknown.
    """

    space: LabelSpace
    names: tuple[str, ...]
    panel: Panel
    truth: Rows
    person: Rows
    path: pa.ChunkedArray
    fold: Rows | None

    @classmethod
    def of(cls, manifest: Manifest, given: Sequence[Predictions], *, allow_leak: bool) -> Trial:
        """Match them by path.

        Raises:
            MaskkitError: Classes are others, or the members do not answer for the same labelled photos.
            RefusedError: A member has seen the people it is judged on.
        """
        manifest.need("label")
        for one in given:
            check_answers(manifest, one)
        place = np.stack([places(manifest, one) for one in given])  # (members, rows)
        place[:, manifest.labels < 0] = -1
        _check_same_photos(manifest, given, place)
        rows = np.flatnonzero(place[0] >= 0)
        for one in given:
            refuse_leak(manifest, one, rows, allow_leak=allow_leak)
        alone = int((manifest.known_people[rows] < 0).sum())
        if alone:
            log.warning(
                "%d photos name no person and count as people of their own: photos of one person may be on "
                "both sides of a fold, and intervals are too narrow",
                alone,
            )
        silent = [one.name for one in given if one.header.space is None]
        if silent:
            log.warning("a CSV does not say whom its model has seen: %s taken on trust", examples(silent))
        return cls(
            space=manifest.space,
            names=tuple(one.name for one in given),
            panel=panel_of(given, place[:, rows], classes=len(manifest.space)),
            truth=manifest.labels[rows],
            person=manifest.known_people[rows],
            path=manifest.table["path"].take(pa.array(rows)),
            fold=_common_fold(given, place[:, rows]),
        )


def panel_of(given: Sequence[Predictions], place: Rows, *, classes: int) -> Panel:
    """Return what predictions say of the photos at these rows of each, (members, N)."""
    probs = [one.probs[at] for one, at in zip(given, place, strict=True) if one.probs is not None]
    answers = [one.answer[at] for one, at in zip(given, place, strict=True)]
    return Panel(answers, probs if len(probs) == len(given) else None, classes)


def _common_fold(given: Sequence[Predictions], place: Rows) -> Rows | None:
    said = [one.fold[at] for one, at in zip(given, place, strict=True) if one.fold is not None]
    if len(said) < len(given):
        return None
    return np.where(np.all([fold == said[0] for fold in said], axis=0), said[0], -1).astype(np.int64)


def _check_same_photos(manifest: Manifest, given: Sequence[Predictions], place: Rows) -> None:
    is_there = place >= 0
    for one, has in zip(given, is_there, strict=True):
        if not has.any():
            raise MaskkitError(
                f"{one.name} answers for no labelled photo of {manifest.name}",
                why="the truth is needed of what is judged",
                fix="give --on the manifest that these predictions were made from",
            )
        differs = has != is_there[0]
        if differs.any():
            path = manifest.table["path"][int(np.flatnonzero(differs)[0])]
            raise MaskkitError(
                f"{one.name} answers for other photos than {given[0].name}",
                why=f"{int(has.sum())} labelled photos against {int(is_there[0].sum())}, such as {path}",
                fix="predict the same manifest with every member, by --oof",
            )


def check_counterparts(members: Sequence[Predictions], fitted: Sequence[Predictions]) -> None:
    """Raise unless each member can be what the weights found at its place are for.

    Raises:
        MaskkitError: The models behind the two are known and others, or one's answers were adjusted.
    """
    trained = [_trained(one) for one in members]
    before = [_trained(one) for one in fitted]
    for place, (one, other) in enumerate(zip(members, fitted, strict=True)):
        ours, theirs = trained[place], before[place]
        if ours and theirs and not ours & theirs:
            meant = [fit.name for fit, models in zip(fitted, before, strict=True) if ours & models]
            raise MaskkitError(
                f"{one.name} and {other.name} come from other models",
                why=f"number {place + 1} of --fit gives the weight of number {place + 1} of the predictions",
                fix=f"give --fit in the same order; {meant[0]} has the models of {one.name}"
                if meant
                else "give the out-of-fold predictions of the same checkpoints",
            )
        if ours and theirs and one.adjusted.keys() != other.adjusted.keys():
            raise MaskkitError(
                f"{one.name} and {other.name} were adjusted differently",
                why=f"by {_by(one.adjusted)} against {_by(other.adjusted)}: weights of the one are not of "
                "the other",
                fix="treat both alike, or blend first and adjust by --consensus and --decide",
            )


def _trained(predictions: Predictions) -> frozenset[str]:
    return frozenset(record.id for record in predictions.header.history if record.stage == "train")


def _by(adjusted: Mapping[str, Any]) -> str:
    return " and ".join(f"a {name}" for name in adjusted) or "nothing"
