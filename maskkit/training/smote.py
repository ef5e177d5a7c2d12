"""Features made up between those of rare classes, for a head on a frozen backbone.

SMOTE, from Chawla et al. 2002, https://arxiv.org/abs/1106.1813, by imbalanced-learn. Of features only:
between the pixels of two faces there is no face.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.manifest import UNKNOWN
from maskkit.errors import MaskkitError
from maskkit.extras import install_line
from maskkit.training.features import Features, Floats
from maskkit.training.fold import Fold

Classes = NDArray[np.int64]

PIECE = 1024  # rows whose features, in all views, are in memory at once


def need_smote() -> None:
    """Raise a MaskkitError if imbalanced-learn is not there: better known before features are computed."""
    if find_spec("imblearn") is None:
        raise MaskkitError(
            "cannot make up features",
            why="the package imbalanced-learn is not installed",
            fix=f"{install_line('smote')}, or use another --sampler",
        )


def smote(features: Floats, classes: Classes, *, neighbors: int = 5, seed: int = 0) -> tuple[Floats, Classes]:
    """Return made-up features, and their classes, with which every class is as frequent as the largest.

    Each lies on the line between a row and one of its nearest neighbours of the same class. A class of
    fewer rows has fewer neighbours, and a class of one row is repeated. A person's photos look alike:
    with few neighbours most lines join two photos of one person.

    From features (N, F) and classes (N,) to those made up, float32 (M, F) and (M,); none if all classes are
    equally frequent.

    Raises:
        MaskkitError: imbalanced-learn is not installed.
    """
    need_smote()
    from imblearn.over_sampling import SMOTE

    present, counts = np.unique(classes, return_counts=True)
    most = counts.max(initial=0)
    made, made_classes = [features[:0]], [classes[:0]]
    for near in sorted({min(neighbors, count - 1) for count in counts[counts < most].tolist()}):
        is_such = (counts < most) & (np.minimum(neighbors, counts - 1) == near)
        if near == 0:
            alone = np.flatnonzero(np.isin(classes, present[is_such]))
            repeated = np.repeat(alone, most - 1)
            found, found_classes = features[repeated], classes[repeated]
        else:
            wanted = dict.fromkeys(present[is_such].tolist(), int(most))
            sampler = SMOTE(sampling_strategy=wanted, k_neighbors=near, random_state=seed)
            more, more_classes = sampler.fit_resample(features, classes)
            found, found_classes = more[len(features) :], more_classes[len(features) :]
        made.append(found)
        made_classes.append(found_classes)
    return np.concatenate(made), np.concatenate(made_classes)


def with_synthetic(fold: Fold, *, neighbors: int, seed: int) -> Fold:
    """Return a fold of features that is also trained on made-up ones, as rows after all others.

    They are made of the rows trained on, of the photos as they are. Nobody is known to be on them, no
    number is known of them, and each weighs as much as a row of its class does on average.

    Raises:
        MaskkitError: imbalanced-learn is not installed.
    """
    inputs, rows, target = fold.inputs, fold.training, fold.target[fold.training]
    assert isinstance(inputs, Features)
    pieces = [rows[start : start + PIECE] for start in range(0, len(rows), PIECE)]
    features = np.concatenate([inputs.take(piece)[:, 0] for piece in pieces])
    made, classes = smote(features, target, neighbors=neighbors, seed=seed)
    weights = np.bincount(target, fold.weight[rows]) / np.maximum(1, np.bincount(target))
    first, more = len(inputs), len(made)
    unknown, nothing = np.full(more, UNKNOWN), np.full((more, fold.numbers.shape[1]), np.nan, np.float32)
    soft = fold.soft
    if soft is not None:
        soft = np.concatenate([soft, np.full((more, soft.shape[1]), np.nan, np.float32)])
    return replace(
        fold,
        inputs=replace(inputs, made=made),
        target=np.concatenate([fold.target, classes]),
        numbers=np.concatenate([fold.numbers, nothing]),
        people=np.concatenate([fold.people, unknown]),
        weight=np.concatenate([fold.weight, weights[classes].astype(np.float32)]),
        label=np.concatenate([fold.label, unknown]),
        soft=soft,
        training=np.concatenate([rows, np.arange(first, first + more)]),
    )
