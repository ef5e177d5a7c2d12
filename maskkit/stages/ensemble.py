"""Blend several predictions of the same images into one, matched by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Integers
from maskkit.artifacts.header import Header, Record, merged, same_space
from maskkit.artifacts.predictions import Predictions
from maskkit.config import Vote
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.scoring.blending import agreement, hard_vote, soft_vote


@dataclass(frozen=True)
class Ensemble:
    """What came of a vote.

    Args:
        predictions: The blend.
        ties: Images on which a hard vote had no single winner; 0 for a soft vote.
        agreement: Share of images on which two members answer alike, (members, members).
    """

    predictions: Predictions
    ties: int
    agreement: NDArray[np.float64]


def ensemble(
    members: Sequence[Predictions],
    *,
    vote: Vote = "hard",
    weights: Sequence[float] | None = None,
    allow_leak: bool = False,
    history: bool = True,
) -> Ensemble:
    """Vote on each image; the result keeps the order of the first member.

    Args:
        members: Predictions of the same images, in any order of rows.
        vote: `hard`: most votes win; ties go to the larger sum of probabilities if every member has
            them, else to the tied class that the earliest member voted for. `soft`: mean of probabilities.
        weights: One per member; equal if not given.
        allow_leak: Take members that were made with `--allow-leak`.
        history: Record what was read, by its digest: a tenth of the time, for which a CSV has no place.

    Raises:
        MaskkitError: Images or classes of the members differ, or a soft vote lacks probabilities.
        RefusedError: A member was predicted by models that have seen the people in it.
    """
    _check_classes(members)
    leaking = [member.name for member in members if member.leaked]
    if leaking and not allow_leak:
        raise RefusedError(
            f"models have seen people they answer for in {examples(leaking)}",
            why="their answers look better than they are",
            fix="predict with --oof, or use --allow-leak",
        )
    aligned = [members[0], *(_in_order_of(members[0], member) for member in members[1:])]
    answers = [member.answer for member in aligned]
    probs = [member.probs for member in aligned if member.probs is not None]
    classes = next((member.classes for member in members if member.classes), None)
    if vote == "soft":
        if len(probs) < len(members):
            lacking = [member.name for member in members if member.probs is None]
            raise MaskkitError(
                f"there are no probabilities in {examples(lacking)}",
                why="a soft vote averages probabilities, and a submission holds answers only",
                fix="use --vote hard, or give the tables of probabilities",
            )
        blend: NDArray[np.float32] | None = soft_vote(probs, weights=weights)
        assert blend is not None
        answer, ties = blend.argmax(1), 0
    else:
        count = len(classes) if classes else max(int(answer.max(initial=0)) for answer in answers) + 1
        voted, tied = hard_vote(
            answers,
            classes=count,
            probs=probs if len(probs) == len(members) else None,
            weights=weights,
        )
        answer, ties = voted, int(tied.sum())
        blend = np.eye(count, dtype=np.float32)[answer] if classes else None  # a decision, not a degree
    header = _header(members, vote, weights, allow_leak) if history else Header("predictions", None)
    result = Predictions(members[0].path, answer, blend, classes, _common_fold(aligned), header)
    return Ensemble(result, ties, agreement(answers))


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


def _common_fold(members: Sequence[Predictions]) -> Integers | None:
    folds = [member.fold for member in members if member.fold is not None]
    if len(folds) < len(members):
        return None
    same = np.all([fold == folds[0] for fold in folds], axis=0)
    return np.where(same, folds[0], -1)


def _header(
    members: Sequence[Predictions], vote: Vote, weights: Sequence[float] | None, allow_leak: bool
) -> Header:
    inputs = tuple(member.header.input_from(member.as_input()) for member in members)
    options = {"vote": vote, "weights": None if weights is None else list(weights), "allow_leak": allow_leak}
    record = Record("ensemble", options, inputs)
    space = next((member.header.space for member in members if member.header.space), None)
    seen = [seen.to_json() for member in members for seen in member.seen]
    facts = {"leaked": max(member.leaked for member in members)}
    unique = {item["salt"] + item["digests"]: item for item in seen}
    if unique:
        facts["seen"] = list(unique.values())  # type: ignore[assignment]
    return Header("predictions", space, (*merged(member.header.history for member in members), record), facts)
