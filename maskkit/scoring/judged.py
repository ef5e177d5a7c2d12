"""Predictions beside the truth: of the same classes, which photo is whose, and what a model has seen."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.header import same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import Integers
from maskkit.scoring.panel import Panel

log = logging.getLogger(__name__)


def check_answers(manifest: Manifest, predictions: Predictions) -> None:
    """Raise MaskkitError unless the predictions are of the manifest's classes, in its order."""
    if predictions.header.space is not None:
        same_space(manifest.space, predictions.header.space, names=(manifest.name, predictions.name))
    names = tuple(manifest.space.names)
    if predictions.classes is not None and predictions.classes != names:
        raise MaskkitError(
            f"{predictions.name} has other classes than {manifest.name}",
            why=f"{examples(predictions.classes)} against {examples(names)}",
            fix="use predictions of the same label space, with columns in its order",
        )
    if len(predictions) and predictions.answer.max() >= len(names):
        raise MaskkitError(
            f"{predictions.name} answers {predictions.answer.max()}",
            why=f"{manifest.name} has classes 0 to {len(names) - 1}",
            fix="use predictions of the same label space",
        )


def places(manifest: Manifest, predictions: Predictions) -> NDArray[np.int64]:
    """Return which row of the predictions is of each photo of the manifest, (rows,); -1 if none is."""
    paths = manifest.table["path"]
    if paths.equals(predictions.path):
        return np.arange(len(manifest))
    found = pc.index_in(paths, value_set=predictions.path)
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)


def refuse_leak(
    manifest: Manifest, predictions: Predictions, rows: NDArray[np.int64], *, allow_leak: bool
) -> None:
    """Raise RefusedError if a model behind the predictions was trained on people who are scored.

    Args:
        manifest: Names the people.
        predictions: Say whom their models have seen.
        rows: Rows of the manifest that are scored, (scored,).
        allow_leak: Warn instead.
    """
    leaked = 0
    if predictions.seen:
        people = manifest.people
        names = people.values.take(pa.array(np.unique(people.codes[rows]))).to_pylist()
        leaked = int(np.any([seen.contains(names) for seen in predictions.seen], axis=0).sum())
    if not leaked and not predictions.leaked:
        return
    what = f"{leaked} people" if leaked else f"the people on {predictions.leaked} photos"
    if not allow_leak:
        raise RefusedError(
            f"the models behind {predictions.name} were trained on {what} scored here",
            why="such a score measures how well faces are remembered",
            fix="make the predictions with --oof, or use --allow-leak to see the inflated score",
        )
    log.warning("the models were trained on %s scored here: the scores are inflated", what)


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


@dataclass(frozen=True)
class Scored:
    """Labelled photos with an answer.

    Args:
        rows: Where they are in the manifest, (N,).
        place: Where they are in the predictions, (N,).
        truth: Class of each, (N,).
        answer: Class answered, (N,).
        person: A code per person, negative where unknown, (N,).
        fold: The fold of each, (N,), negative where none; None if no photo was held out.
    """

    rows: NDArray[np.int64]
    place: NDArray[np.int64]
    truth: NDArray[np.int64]
    answer: Integers
    person: NDArray[np.int64]
    fold: NDArray[np.int64] | None

    @classmethod
    def of(cls, manifest: Manifest, predictions: Predictions) -> Scored:
        """Match by path.

        Raises:
            MaskkitError: A fold was predicted in part, or something else was predicted too.
        """
        rows, place = _matched(manifest, predictions)
        fold = manifest.folds[rows] if manifest.has("fold") else None
        return cls(
            rows=rows,
            place=place,
            truth=manifest.labels[rows],
            answer=predictions.answer[place],
            person=manifest.known_people[rows],
            fold=fold if fold is not None and (fold >= 0).any() else None,
        )


def _matched(manifest: Manifest, predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labelled rows that were predicted, and the prediction of each.

    Raises unless each fold was predicted as a whole or not at all, and nothing else was predicted.
    """
    paths = manifest.table["path"]
    place = places(manifest, predictions)
    if (place >= 0).sum() < len(predictions):  # paths are unique in both
        strangers = pc.invert(pc.is_in(predictions.path, value_set=paths))
        extra = predictions.path.filter(strangers).to_pylist()
        raise MaskkitError(
            f"{predictions.name} has {len(extra)} images that are not in {manifest.name}: {examples(extra)}",
            why="an answer without a known truth cannot be scored",
            fix="evaluate with the manifest that was predicted",
        )
    labelled = manifest.labels >= 0
    scored, unanswered = labelled & (place >= 0), labelled & (place < 0)
    if not scored.any():
        raise MaskkitError(
            f"{predictions.name} answers for no labelled image of {manifest.name}",
            why="there is nothing to score",
            fix="evaluate with a manifest that holds the truth",
        )
    part = manifest.folds if manifest.has("fold") else np.zeros(len(manifest), np.int64)
    halved = unanswered & np.isin(part, np.unique(part[scored]))
    if halved.any():
        missing = paths.filter(pa.array(halved)).to_pylist()
        raise MaskkitError(
            f"{len(missing)} labelled images have no prediction: {examples(missing)}",
            why="a score over part of a fold is a score of other people than it claims",
            fix="predict all images of the manifest, or all of a fold",
        )
    if unanswered.any():
        folds = np.unique(part[scored])
        log.warning(
            "scoring fold %s only: %d of %d labelled images",
            examples(folds, most=20),
            scored.sum(),
            labelled.sum(),
        )
    rows = np.flatnonzero(scored)
    return rows, place[rows]
