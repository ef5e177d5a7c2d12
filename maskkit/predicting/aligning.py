"""Several predictions of the same images, brought into one order by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from maskkit.artifacts.columns import Integers
from maskkit.artifacts.header import same_space
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, examples


def aligned(members: Sequence[Predictions]) -> list[Predictions]:
    """Return the members with rows in the order of the first.

    Raises:
        MaskkitError: Their images or classes differ.
    """
    _check_classes(members)
    return [members[0], *(_in_order_of(members[0], member) for member in members[1:])]


def _check_classes(members: Sequence[Predictions]) -> None:
    spaces = [(member.name, member.header.space) for member in members if member.header.space is not None]
    for name, space in spaces[1:]:
        same_space(spaces[0][1], space, names=(spaces[0][0], name))
    first = next((member for member in members if member.classes), None)
    if first is None or first.classes is None:
        return
    for member in members:
        if member.classes is not None and member.classes != first.classes:
            pairs = zip(first.classes, member.classes, strict=False)
            differing = next((f"{a} against {b}" for a, b in pairs if a != b), None)
            raise MaskkitError(
                f"{first.name} and {member.name} have different classes",
                why=differing or f"{len(first.classes)} classes against {len(member.classes)}",
                fix="vote over predictions of one label space, with columns in one order",
            )
        if len(member) and member.answer.max() >= len(first.classes):
            raise MaskkitError(
                f"{member.name} answers {member.answer.max()}",
                why=f"{first.name} has classes 0 to {len(first.classes) - 1}",
                fix="vote over predictions of one label space",
            )


def _in_order_of(first: Predictions, member: Predictions) -> Predictions:
    if member.path.equals(first.path):
        return member
    import pyarrow.compute as pc  # takes time to load, which files in one order can do without

    place = pc.index_in(first.path, value_set=member.path)
    missing = first.path.filter(pc.is_null(place)).to_pylist()
    extra = []
    if missing or len(member) > len(first):  # ids are unique: as many, and none missing, are the same
        extra = member.path.filter(pc.invert(pc.is_in(member.path, value_set=first.path))).to_pylist()
    if missing or extra:
        found = [f"{len(missing)} missing: {examples(missing)}"] if missing else []
        found += [f"{len(extra)} extra: {examples(extra)}"] if extra else []
        raise MaskkitError(
            f"{member.name} has other images than {first.name}",
            why="; ".join(found),
            fix="predict the same images with every member",
        )
    rows = place.to_numpy()
    return replace(
        member,
        path=first.path,
        answer=member.answer[rows],
        probs=None if member.probs is None else member.probs[rows],
        fold=None if member.fold is None else member.fold[rows],
    )


def common_fold(members: Sequence[Predictions]) -> Integers | None:
    """Return the fold that all members of a row held out, (rows,); -1 if they differ, None if unknown."""
    folds = [member.fold for member in members if member.fold is not None]
    if len(folds) < len(members):
        return None
    same = np.all([fold == folds[0] for fold in folds], axis=0)
    return np.where(same, folds[0], -1)
