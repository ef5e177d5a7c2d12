"""Assign each image to a fold so that no person is in two folds."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import divided_people
from maskkit.artifacts.columns import encoded
from maskkit.artifacts.manifest import NEVER_HELD_OUT, NOT_IN_SPLIT, Groups, Manifest
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.splitting.folds import holdout_groups, stratified_group_folds
from maskkit.splitting.quality import FoldQuality, fold_table

log = logging.getLogger(__name__)

FINE_BINS = 64  # of a numeric factor; each value its own if there are no more, as of years of age


def split(
    manifest: Manifest,
    *,
    by: str = "person",
    folds: int = 5,
    holdout: float | None = None,
    seed: int = 0,
) -> Manifest:
    """Add a `fold` column, grouped by person and balanced by joint class and fine age.

    A person's photos look alike, so one person on both sides would let the model score well by
    recognising faces (Kaufman et al. 2012, https://doi.org/10.1145/2382577.2382579, on leakage).

    Args:
        manifest: With labels; rows without one are not part of the split and get no fold.
        by: `person`, `image`, or a column whose groups must not be divided.
        folds: Folds 0 to `folds - 1`, each held out by one model.
        holdout: Instead of folds, hold out this share of the images as fold 0; the rest gets -1.
        seed: Same seed, same folds.

    Raises:
        MaskkitError: There are fewer groups than folds, no such column, or people whom no fold can
            hold out because photos of them were added for training.
    """
    groups = _groups(manifest, by)
    rows = np.flatnonzero(_takes_part(manifest))
    if not len(rows):
        manifest.need("label")
    names, group = np.unique(groups.codes[rows], return_inverse=True)  # (groups,), (rows,)
    label = manifest.labels[rows]
    counts = np.zeros((len(names), len(manifest.space)), np.int64)
    np.add.at(counts, (group, label), 1)  # (groups, classes)
    stratum = _fine_stratum(manifest, rows, group, len(names))
    if holdout is None:
        fold_of_group = stratified_group_folds(counts, stratum=stratum, folds=folds, seed=seed)
    else:
        fold_of_group = holdout_groups(counts, stratum=stratum, share=holdout, seed=seed)
    fold = np.full(len(manifest), NOT_IN_SPLIT)
    fold[_labelled(manifest)] = NEVER_HELD_OUT
    fold[rows] = fold_of_group[group]
    column = pa.array(fold.astype(np.int16), mask=fold == NOT_IN_SPLIT)
    options: dict[str, Any] = {
        "by": by,
        "folds": None if holdout else folds,
        "holdout": holdout,
        "seed": seed,
    }
    result = manifest.then("split", {"fold": column}, **options)
    _look_for_divided_people(result, by)
    return result


def check_split(manifest: Manifest) -> None:
    """Raise RefusedError if a person is in two folds."""
    manifest.need("fold")
    people = divided_people(manifest.table)
    if people:
        raise RefusedError(
            f"{len(people)} people are in two folds: {examples(people)}",
            why="a score on photos of people the model has seen measures its memory of faces",
            fix="split again: maskkit split --by person",
        )


def fold_quality(manifest: Manifest) -> FoldQuality:
    """Count the people and images of each class in each fold of a split manifest."""
    manifest.need("fold", "label")
    rows = (manifest.labels >= 0) & (manifest.folds != NOT_IN_SPLIT)
    fold = manifest.folds[rows]
    return fold_table(
        fold.astype(np.int16),
        manifest.labels[rows].astype(np.int16),
        manifest.people.codes[rows],
        folds=int(fold.max()) + 1,
        classes=len(manifest.space),
    )


def _groups(manifest: Manifest, by: str) -> Groups:
    if by == "person":
        unknown = int((pc.is_null(manifest.table["person_id"]).to_numpy() & _takes_part(manifest)).sum())
        if unknown:
            raise MaskkitError(
                f"{manifest.name} has {unknown} images without a person",
                why="it cannot be seen which of them belong together",
                fix="label from a table with person_id, or use --by image or --by COLUMN and know the risk",
            )
        return manifest.people
    if by == "image":
        return Groups(np.arange(len(manifest)), manifest.table["path"])
    if not manifest.has(by) or pa.types.is_nested(manifest.table.schema.field(by).type):
        raise MaskkitError(
            f"there is no column {by!r} of single values to split by",
            why=f"{manifest.name} has {', '.join(manifest.table.column_names)}",
            fix="use --by person, --by image, or one of these columns",
        )
    return manifest.grouped(by)


def _labelled(manifest: Manifest) -> NDArray[np.bool_]:
    return manifest.labels >= 0


def _takes_part(manifest: Manifest) -> NDArray[np.bool_]:
    """Whether a row may be held out: pseudo-labelled and extra photos never are."""
    codes, origins = encoded(manifest.table["origin"])
    is_added = pc.is_in(origins, value_set=pa.array(["pseudo", "extra"]))
    added: NDArray[np.bool_] = is_added.to_numpy(zero_copy_only=False)
    return _labelled(manifest) & ~added[codes]


def _fine_stratum(
    manifest: Manifest, rows: NDArray[np.int64], group: NDArray[np.int64], groups: int
) -> NDArray[np.int64]:
    """Number each group by the fine bins of its numeric factors, (groups,), so that 57 is not 31."""
    stratum = np.zeros(groups, np.int64)
    for factor in manifest.space.factors:
        if not factor.is_numeric or not manifest.has(factor.name):
            continue
        numbers = manifest.table[factor.name].cast(pa.float64()).to_numpy()[rows]
        first = np.full(groups, np.nan)
        first[group[::-1]] = numbers[::-1]  # the group's first image speaks for it
        edges = np.unique(first[~np.isnan(first)])
        if len(edges) > FINE_BINS:
            edges = np.nanquantile(first, np.linspace(0, 1, FINE_BINS + 1)[1:-1])
        edges = np.union1d(edges, factor.cuts)
        stratum = stratum * (len(edges) + 2) + np.searchsorted(edges, first, side="right")
    return np.unique(stratum, return_inverse=True)[1]


def _look_for_divided_people(manifest: Manifest, by: str) -> None:
    cost = "held-out scores will be far too good: in this task 0.99 where a leaderboard said 0.6"
    people = divided_people(manifest.table)
    if people and by == "person":
        raise MaskkitError(
            f"{len(people)} people have photos of their own and added ones: {examples(people)}",
            why="added photos (pseudo or extra) are in every training, so these people cannot be held out",
            fix="drop the added photos of these people",
        )
    if people:
        log.warning(
            "split by %s: %d people are in two folds (%s). Their photos are near-copies, so %s. "
            "Use --by person to trust them",
            *(by, len(people), examples(people), cost),
        )
    elif by != "person" and manifest.table["person_id"].null_count:
        log.warning(
            "split by %s: without person_id nobody can tell whether a person is in two folds. "
            "If people have several photos, %s",
            *(by, cost),
        )
