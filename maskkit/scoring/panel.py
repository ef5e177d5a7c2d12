"""What several models predict for the same photos, in one order of photos and of classes.

It loads little, and no `pyarrow.compute` where all files are in one order, for a vote over short submissions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.header import same_space
from maskkit.artifacts.id_matching import places_of
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import Integers, Probabilities

Rows = NDArray[np.int64] | slice  # a slice is a view, where an index would copy the probabilities


@dataclass(frozen=True)
class Panel:
    """What the members predict, row n of each being of the same photo."""

    answers: Sequence[Integers]  # the class that each answers, (N,) per member
    # Class probabilities, (N, C) per member; None unless every member has them
    probs: Sequence[Probabilities] | None
    classes: int  # number of classes C

    @classmethod
    def of(cls, members: Sequence[Predictions], place: Sequence[Rows], *, classes: int) -> Panel:
        """Take from each member the rows at its `place`, one for each photo."""
        probs = [one.probs[at] for one, at in zip(members, place, strict=True) if one.probs is not None]
        answers = [one.answer[at] for one, at in zip(members, place, strict=True)]
        return cls(answers, probs if len(probs) == len(members) else None, classes)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.answers)

    def take(self, rows: NDArray[Any]) -> Panel:
        """Return the panel of some photos (a mask or indices)."""
        probs = None if self.probs is None else [part[rows] for part in self.probs]
        return Panel([part[rows] for part in self.answers], probs, self.classes)


def check_same_classes(predictions: Predictions, space: LabelSpace, *, of: str) -> None:
    """Raise MaskkitError unless predictions are of these classes, in this order; `of` is for error texts."""
    if predictions.header.space is not None:
        same_space(space, predictions.header.space, names=(of, predictions.name))
    _check_names(predictions, space.names, of)


def aligned(members: Sequence[Predictions]) -> list[Rows]:
    """Return where each member has the photos of the first, (N,) each.

    Raises:
        MaskkitError: Their photos or classes differ.
    """
    first, *others = [one for one in members if one.header.space is not None] or members
    for other in others:
        if first.header.space is not None and other.header.space is not None:
            same_space(first.header.space, other.header.space, names=(first.name, other.name))
    for names, of in [(one.classes, one.name) for one in members if one.classes is not None][:1]:
        for one in members:
            _check_names(one, names, of)
    return [slice(None), *(_place(members[0], member) for member in members[1:])]


def folds_of(members: Sequence[Predictions], place: Sequence[Rows]) -> list[Integers] | None:
    """Return the fold whose model made each member's predictions, (N,) each; None if one lacks it."""
    folds = [one.fold[at] for one, at in zip(members, place, strict=True) if one.fold is not None]
    return folds if len(folds) == len(members) else None


def common_fold(members: Sequence[Predictions], place: Sequence[Rows]) -> NDArray[np.int64] | None:
    """Return the fold that all members of a photo held out, (N,); -1 if they differ, None if unknown."""
    folds = folds_of(members, place)
    if folds is None:
        return None
    return np.where(np.all([fold == folds[0] for fold in folds], axis=0), folds[0], -1).astype(np.int64)


def facts_of(members: Sequence[Predictions], **own: object) -> dict[str, Any]:
    """Return a header's facts of what is made of predictions: who was seen, its own, and the adjustments."""
    unique = {(one.salt, one.digests.tobytes()): one for each in members for one in each.trained_on}
    seen = {"seen": [one.to_json() for one in unique.values()]} if unique else {}
    adjusted = {name: fact for member in members for name, fact in member.adjusted.items()}
    return {"leaked": max(one.leaked for one in members), **seen, **own, **adjusted}


def are_seen(names: Sequence[str], predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return which people a model behind predictions was trained on, (people,).

    None where the predictions record nobody: those made out-of-fold, and a CSV.
    """
    known = [one.contains(names) for one in predictions.trained_on]
    return np.any(known, axis=0) if known else None


def refuse_leaking(given: Sequence[Predictions]) -> None:
    """Raise RefusedError if some are known to be of people whom their models have seen."""
    leaking = [one.name for one in given if one.leaked]
    if leaking:
        raise RefusedError(
            f"models have seen people they answer for in {examples(leaking)}",
            why="their answers look better than they are",
            fix="predict with --oof, or use --allow-leak",
        )


def check_counterparts(members: Sequence[Predictions], fitted: Sequence[Predictions]) -> None:
    """Raise unless each member can be what the weights found at its place are for.

    Raises:
        MaskkitError: The models behind the two are known and others, or one's answers were adjusted.
    """
    for place, (one, other) in enumerate(zip(members, fitted, strict=True)):
        ours, theirs = _trained(one), _trained(other)
        if ours and theirs and not ours & theirs:
            meant = [fit.name for fit in fitted if ours & _trained(fit)]
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


def _check_names(predictions: Predictions, names: Sequence[str], of: str) -> None:
    if predictions.classes is not None and predictions.classes != tuple(names):
        pairs = zip(names, predictions.classes, strict=False)
        raise MaskkitError(
            f"{of} and {predictions.name} have different classes",
            why=next(
                (f"{one} against {other}" for one, other in pairs if one != other),
                f"{len(names)} classes against {len(predictions.classes)}",
            ),
            fix="use predictions of one label space, with columns in its order",
        )
    if len(predictions) and predictions.answer.max() >= len(names):
        raise MaskkitError(
            f"{predictions.name} answers {predictions.answer.max()}",
            why=f"{of} has classes 0 to {len(names) - 1}",
            fix="use predictions of one label space",
        )


def _place(first: Predictions, member: Predictions) -> Rows:
    if member.path.equals(first.path):
        return slice(None)
    place = places_of(first.path, member.path, names=(first.name, member.name))
    missing = first.path.filter(pa.array(place < 0)).to_pylist()
    foreign = []
    if missing or len(member) > len(first):  # ids are unique: as many, and none missing, are the same
        is_foreign = np.ones(len(member), np.bool_)
        is_foreign[place[place >= 0]] = False
        foreign = member.path.filter(pa.array(is_foreign)).to_pylist()
    if missing or foreign:
        found = [f"{len(missing)} missing: {examples(missing)}"] if missing else []
        found += [f"{len(foreign)} foreign: {examples(foreign)}"] if foreign else []
        raise MaskkitError(
            f"{member.name} has other photos than {first.name}",
            why="; ".join(found),
            fix="predict the same photos with every member",
        )
    return place


def _trained(predictions: Predictions) -> frozenset[str]:
    return frozenset(record.id for record in predictions.header.history if record.stage == "train")


def _by(adjusted: Mapping[str, Any]) -> str:
    return " and ".join(f"a {name}" for name in adjusted) or "nothing"
