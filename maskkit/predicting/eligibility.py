"""Which member is eligible for which photo: one that has not seen its person, unless leaks are allowed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.checks import NO_FOLD
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import RefusedError, examples

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Eligible:
    """Which of some models predict which rows."""

    members: NDArray[np.bool_]  # (models, rows)
    seen: NDArray[np.bool_]  # rows whose person one of them was trained on, which was allowed, (rows,)

    @classmethod
    def of(
        cls, manifest: Manifest, checkpoints: Sequence[Checkpoint], *, oof: bool, allow_leak: bool
    ) -> Eligible:
        """Return which model predicts which row, as `eligible_members`.

        Raises:
            RefusedError: Models have seen people whom they would predict, or no model is eligible.
        """
        seen = seen_rows(manifest, checkpoints)
        members = eligible_members(manifest, checkpoints, seen, oof=oof, allow_leak=allow_leak)
        return cls(members, np.asarray((members & seen).any(0), np.bool_))

    def among(self, rows: NDArray[np.int64]) -> Eligible:
        """Return the same of these rows alone."""
        return Eligible(self.members[:, rows], self.seen[rows])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many models predict each row, (rows,)."""
        return np.asarray(self.members.sum(0), np.int64)


def seen_rows(manifest: Manifest, checkpoints: Sequence[Checkpoint]) -> NDArray[np.bool_]:
    """Return for which rows each model was trained on the person, (models, rows)."""
    people = manifest.people
    return np.stack([item.seen.contains(people.names)[people.codes] for item in checkpoints])


def eligible_members(
    manifest: Manifest,
    checkpoints: Sequence[Checkpoint],
    seen: NDArray[np.bool_],
    *,
    oof: bool,
    allow_leak: bool,
) -> NDArray[np.bool_]:
    """Return which model predicts which row, (models, rows), given `seen` as from `seen_rows`.

    With `oof` (out-of-fold) these are the models that have not seen the person, with `allow_leak` all, with
    both those that held the row out, whomever they have seen.

    Raises:
        RefusedError: Models have seen people whom they would predict, or no model is eligible.
    """
    if not oof:
        rows = np.flatnonzero(seen.any(0))
        if len(rows) and not allow_leak:
            raise RefusedError(
                f"{len(rows)} photos show people that a model was trained on: "
                + examples(manifest.paths[row] for row in rows),
                why="their predictions look far better than those for new people",
                fix="use --oof to let each person be predicted by the models that have not seen them, "
                "or --allow-leak",
            )
        return np.ones_like(seen)
    if allow_leak:
        manifest.need("fold")
        eligible = np.stack([_held_out(manifest, item) for item in checkpoints])
        why = "no model held them out"
    else:
        eligible, why = own_rows(manifest, checkpoints, seen), "every model has seen their people"
    left_out = ~eligible.any(0)
    if left_out.all():
        raise RefusedError(
            f"there is no model for any of {len(manifest)} photos: {why}",
            why="out-of-fold predictions come from models that were not trained on them",
            fix="give the other folds' checkpoints, and split --by person before training",
        )
    if left_out.any():
        log.warning("%d of %d photos are left out: %s", left_out.sum(), len(manifest), why)
    unused = [item.name for item, rows in zip(checkpoints, eligible, strict=True) if not rows.any()]
    if unused:
        log.warning("%s predicts no photo: it has seen them all", examples(unused))
    return eligible


def own_rows(
    manifest: Manifest, checkpoints: Sequence[Checkpoint], seen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which rows each model may predict out-of-fold, (models, rows), given `seen`.

    These are the people whom it has not seen. No model has seen people of weight 0. An average of all models
    would flatter them beside everyone else, so a model that was trained on these very folds predicts its own
    alone.
    """
    if not manifest.has("fold"):
        return ~seen
    here, never = manifest.as_input().sha256, manifest.folds < 0
    own = [never | _held_out(manifest, item) | (item.seen.salt != here) for item in checkpoints]
    return np.asarray(~seen & np.stack(own), np.bool_)


def _held_out(manifest: Manifest, checkpoint: Checkpoint) -> NDArray[np.bool_]:
    """Return which rows are of the fold that a model held out, (rows,)."""
    if checkpoint.fold is None:
        return np.zeros(len(manifest), np.bool_)
    return np.asarray(manifest.folds == checkpoint.fold, np.bool_)


def common_fold(checkpoints: Sequence[Checkpoint], eligible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the fold that all models of a row held out, (rows,); -1 if they differ, or held nobody out."""
    folds = [NO_FOLD if checkpoint.fold is None else checkpoint.fold for checkpoint in checkpoints]
    fold = np.array(folds)[:, None]  # (models, 1)
    highest = np.where(eligible, fold, NO_FOLD).max(0)
    lowest = np.where(eligible, fold, fold.max()).min(0)
    return np.where(lowest == highest, highest, NO_FOLD)
