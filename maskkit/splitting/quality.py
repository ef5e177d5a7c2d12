"""Measure folds: how even they are in each class, and whether they divide a group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Floats, Ints, distinct
from maskkit.artifacts.manifest import NEVER_HELD_OUT, NOT_IN_SPLIT, Manifest
from maskkit.errors import MaskkitError

TABLE = 16  # pairs of a group and a cell, per photo, up to which they are counted in a table


@dataclass(frozen=True)
class FoldQuality:
    """How people and photos of each class are spread over the folds."""

    # People with a photo of the class held out in the fold, (classes, folds). A person counts once in each
    # class, so these do not add up over classes.
    people: Ints
    images: Ints  # photos of the class held out in the fold, (classes, folds)
    people_per_fold: Ints  # people held out in each fold, each counted once, (folds,)
    ideal: Floats  # photos of each class that a fold would hold if all were alike, (classes,)
    deviation: Floats  # `images / ideal - 1`, (classes, folds); 0 for a class without photos
    size_deviation: Floats  # the same for all photos of the fold, (folds,)

    @property
    def images_per_fold(self) -> Ints:
        """Photos held out in each fold, (folds,)."""
        return np.asarray(self.images.sum(axis=0))

    @property
    def max_deviation(self) -> float:
        """Largest relative deviation of any class in any fold; 0.1 is a tenth too many or too few."""
        return float(np.abs(self.deviation).max(initial=0))

    @property
    def mean_deviation(self) -> float:
        """Mean relative deviation, without sign, over the folds and the classes that have photos."""
        present = np.abs(self.deviation[self.ideal > 0])
        return float(present.mean()) if present.size else 0.0

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Return people, photos and deviations per fold, and of each class by its name."""
        measures = {"people": self.people, "photos": self.images, "deviation": self.deviation}
        classes = {
            name: {measure: values[index].tolist() for measure, values in measures.items()}
            for index, name in enumerate(names)
        }
        return {
            "people": self.people_per_fold.tolist(),
            "photos": self.images_per_fold.tolist(),
            "deviation": self.size_deviation.tolist(),
            "max_class_deviation": self.max_deviation,
            "mean_class_deviation": self.mean_deviation,
            "classes": classes,
        }


def fold_quality(manifest: Manifest) -> FoldQuality:
    """Count the people and photos of each class in each fold of a split manifest.

    Raises:
        MaskkitError: It has no labels, or no photo is held out in any fold.
    """
    manifest.need("fold", "label")
    rows = (manifest.labels >= 0) & (manifest.folds != NOT_IN_SPLIT)
    fold = manifest.folds[rows]
    folds = int(fold.max(initial=NEVER_HELD_OUT)) + 1
    if not folds:
        raise MaskkitError(
            f"{manifest.name} holds out no labelled photo",
            why="each has fold -1, never held out, or none",
            fix="run `maskkit split` first",
        )
    labels, people = manifest.labels[rows], manifest.people.codes[rows]
    return fold_table(fold, labels, people, folds=folds, classes=len(manifest.space))


def fold_table(
    fold: NDArray[np.integer], label: NDArray[np.integer], group: Ints, *, folds: int, classes: int
) -> FoldQuality:
    """Count people and photos of each class in each fold, given those of each photo, (photos,).

    Photos in fold -1 are not counted as held out. With one fold (a hold-out) they are what it is compared
    with: its ideal is its share of all photos, taken of each class. A group is a person, as a code from 0
    without large gaps.
    """
    is_held = fold >= 0
    held, person = fold[is_held].astype(np.int64), group[is_held].astype(np.int64)
    cells = classes * folds
    cell = label[is_held].astype(np.int64) * folds + held
    images = np.bincount(cell, minlength=cells).reshape(classes, folds)
    people = _groups_per_cell(person, cell, cells=cells).reshape(classes, folds)
    people_per_fold = _groups_per_cell(person, held, cells=folds)

    if folds == 1:
        ideal = np.bincount(label, minlength=classes) * is_held.mean() if len(fold) else np.zeros(classes)
    else:
        ideal = images.sum(axis=1) / folds
    of_sizes = _deviation(images.sum(axis=0), ideal.sum(keepdims=True))
    return FoldQuality(people, images, people_per_fold, ideal, _deviation(images, ideal[:, None]), of_sizes)


def _groups_per_cell(group: Ints, cell: Ints, *, cells: int) -> Ints:
    """Count the groups with a photo in each cell, each once, (cells,)."""
    groups = int(group.max(initial=-1)) + 1
    pair = group * cells + cell
    if groups * cells <= TABLE * len(pair):  # a byte per pair there may be takes less than sorting
        is_there = np.zeros(groups * cells, np.bool_)
        is_there[pair] = True
        return np.asarray(is_there.reshape(groups, cells).sum(axis=0, dtype=np.int64))
    return np.bincount(distinct(pair) % cells, minlength=cells)


def _deviation(images: Ints, ideal: Floats) -> Floats:
    return np.where(ideal > 0, images / np.where(ideal > 0, ideal, 1) - 1, 0)
