"""What one fold trains on and is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.augment import ByClass, augmentation
from maskkit.imaging.dataset import Augment, Inputs
from maskkit.labels import LabelSpace
from maskkit.options.choices import Choice
from maskkit.options.values import LevelValue
from maskkit.training.fold_rows import FoldRows


@dataclass(frozen=True)
class Unlabeled:
    """Photos of which two views are shown, and no label is known."""

    inputs: Inputs  # as the model will see them
    vary: Augment  # makes both views of each, (N, 2, ...)
    ratio: int  # how many come with each labelled photo of a batch


@dataclass(frozen=True)
class Fold:
    """What a model learns from and is judged by, and which rows of it are for what."""

    space: LabelSpace
    inputs: Inputs  # every photo, (rows,), as the model will see it, or its features
    target: NDArray[np.int64]  # the class to train on, (rows,); -1 where there is none
    numbers: NDArray[np.float32]  # what numeric factors are cut from, (rows, factors); NaN where unknown
    people: NDArray[np.int64]  # the person of each row, (rows,); -1 where nobody is named
    weight: NDArray[np.float32]  # in training, (rows,)
    label: NDArray[np.int64]  # the truth, (rows,); used for scoring only
    training: NDArray[np.int64]  # indices of the rows trained on
    held_out: NDArray[np.int64]  # and of those scored on
    # Probabilities to train towards in place of the class, (rows, classes), NaN in rows that have none.
    soft: NDArray[np.float32] | None = None
    vary: Augment | None = None  # how the rows trained on are varied
    unlabeled: Unlabeled | None = None  # other photos, learnt from without labels

    @classmethod
    def of(cls, rows: FoldRows, inputs: Inputs) -> Fold:
        """Return what these rows train on and are scored on, not varied."""
        manifest = rows.manifest
        return cls(
            space=manifest.space,
            inputs=inputs,
            target=manifest.integers("target"),
            numbers=numbers_of(manifest),
            people=manifest.known_people,
            weight=manifest.table["weight"].to_numpy(),
            label=manifest.labels,
            training=rows.training,
            held_out=rows.held_out,
            soft=_soft(manifest),
        )

    def varied(self, augment: Sequence[Choice], rare: tuple[LevelValue, Sequence[Choice]] | None) -> Fold:
        """Return the fold with its photos varied as chosen, those of one level otherwise."""
        vary = augmentation(augment)
        if rare is not None:
            level, choices = rare
            vary = ByClass(vary, augmentation(choices), self.has_level(level))
        return replace(self, vary=vary)

    @property
    def truth(self) -> NDArray[np.int64]:
        """The truth of the rows scored on, (held_out,)."""
        return self.label[self.held_out]

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """Photos of each class among the rows trained on, (classes,); those held out are not to be known."""
        return np.bincount(self.target[self.training], minlength=len(self.space)).astype(np.int64)

    def has_level(self, level: LevelValue) -> NDArray[np.bool_]:
        """Return which rows are trained as a level, (rows,); raise a MaskkitError if there is no such one."""
        factor, place = self.space.place_of(level.factor, level.level)
        shape = self.space.shape
        levels = self.target // prod(shape[factor + 1 :]) % shape[factor]
        return np.asarray((self.target >= 0) & (levels == place), np.bool_)


def numbers_of(manifest: Manifest) -> NDArray[np.float32]:
    """Return what numeric factors are cut from, (rows, factors), NaN where it is unknown."""
    names = [factor.name for factor in manifest.space.factors if factor.is_numeric]
    columns = [manifest.numbers(name).astype(np.float32) for name in names]
    return np.stack(columns, axis=1) if columns else np.empty((len(manifest), 0), np.float32)


def _soft(manifest: Manifest) -> NDArray[np.float32] | None:
    """Return `target_probs`, (rows, classes), NaN where there are none; None if there are none at all."""
    column = manifest.table["target_probs"] if manifest.has("target_probs") else None
    if column is None or column.null_count == len(column):
        return None
    places = range(len(manifest.space))
    each = [pc.fill_null(pc.list_element(column, place), np.nan).to_numpy() for place in places]
    return np.ascontiguousarray(np.stack(each, axis=1))
