"""From a manifest to the codes that are counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checks import labels_from_factors
from maskkit.artifacts.manifest import NOT_IN_SPLIT, UNKNOWN, Manifest
from maskkit.labels import LabelSpace


def levels_of(manifest: Manifest) -> NDArray[np.int64]:
    """Return the level of each photo by factor, (photos, factors); -1 if unknown.

    A label tells them all; a photo without one may still have some in its columns.
    """
    space, labels = manifest.space, manifest.labels
    told = np.unravel_index(np.maximum(labels, 0), space.shape)
    columns = []
    for factor, level in zip(space.factors, told, strict=True):
        own = np.full(len(labels), UNKNOWN)
        if manifest.has(factor.name) and (labels < 0).any():
            own = labels_from_factors(manifest.table, LabelSpace((factor,)), name=manifest.name)
        columns.append(np.where(labels >= 0, level, own))
    return np.column_stack(columns).astype(np.int64)


def fold_codes(manifest: Manifest) -> NDArray[np.int64]:
    """Return the fold of each photo as a code, (photos,): 0 never held out, 1 fold 0, ...; -1 outside."""
    if not manifest.has("fold"):
        return np.full(len(manifest), UNKNOWN)
    return np.where(manifest.folds == NOT_IN_SPLIT, UNKNOWN, manifest.folds + 1)
