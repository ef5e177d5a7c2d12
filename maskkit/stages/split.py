"""Assign each photo to a fold so that no person is in two folds."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import ADDED, NO_FOLD, divided_values
from maskkit.artifacts.columns import Bools, Ints, encoded
from maskkit.artifacts.manifest import NEVER_HELD_OUT, NOT_IN_SPLIT, Groups, Manifest
from maskkit.artifacts.plain_columns import is_key
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.labels import HOME
from maskkit.splitting.folds import class_counts, holdout_groups, stratified_group_folds
from maskkit.splitting.strata import group_strata, numbered, tied_groups

log = logging.getLogger(__name__)

FAR = 0.25  # of the share to hold out; a holdout that misses it by more is warned of
LARGE = 0.5  # of what a fold should hold; a larger group of tied people leaves little to balance with


def split(
    manifest: Manifest,
    *,
    by: str = "person",
    folds: int = 5,
    holdout: float | None = None,
    stratify: Sequence[str] = (),
    keep_with: Sequence[str] = (),
    seed: int = 0,
) -> Manifest:
    """Add a `fold` column, grouped by person and balanced by joint class and fine age.

    A person's photos look alike, so one person on both sides would let the model score well by
    recognising faces (Kaufman et al. 2012, https://doi.org/10.1145/2382577.2382579, on leakage).

    Args:
        manifest: With labels; rows without one are not part of the split and get no
            fold, but for pseudo-labelled ones, which are never held out.
        by: `person`, `image`, or a column whose groups must not be divided.
        folds: Folds 0 to `folds - 1`, each held out by one model.
        holdout: Instead of folds, hold out this share of the photos as fold 0; the rest gets -1.
        stratify: Columns to balance besides: texts by value, numbers by fine bins. A group whose
            photos differ counts by its most frequent value.
        keep_with: Columns of which photos that share a value stay in one fold, also of several
            people and by way of others; null ties nothing.
        seed: Same seed, same folds.

    Raises:
        MaskkitError: There are fewer groups than folds, no such column, or people or ties whom no
            fold can hold out because photos of them were added for training.
    """
    _need_columns(manifest, stratify, option="--stratify")
    _need_columns(manifest, keep_with, option="--keep-with")
    groups = _groups(manifest, by)
    rows = np.flatnonzero(_takes_part(manifest))
    if not len(rows):
        manifest.need("label")
    group = numbered(groups.codes[rows])  # (rows,)
    if keep_with:
        group = _tied(manifest, rows, group, keep_with, share=holdout or 1 / folds)
    number = int(group.max(initial=-1)) + 1
    counts = class_counts(group, manifest.labels[rows], groups=number, classes=len(manifest.space))
    stratum = _strata(manifest, rows, group, stratify, groups=number)
    if holdout is None:
        fold_of_group = stratified_group_folds(counts, stratum=stratum, folds=folds, seed=seed)
    else:
        fold_of_group = holdout_groups(counts, stratum=stratum, share=holdout, seed=seed)
        _look_for_missed_share(fold_of_group[group], holdout, groups=number)
    fold = np.full(len(manifest), NOT_IN_SPLIT, np.int16)
    fold[(manifest.labels >= 0) | _is_added(manifest, ["pseudo"])] = NEVER_HELD_OUT
    fold[rows] = fold_of_group[group]
    columns = {"fold": pa.array(fold, mask=fold == NOT_IN_SPLIT), **_of_other_folds(manifest)}
    result = manifest.then(
        "split", columns, by=by, folds=None if holdout else folds, holdout=holdout,
        stratify=list(stratify) or None, keep_with=list(keep_with) or None, seed=seed,
    )  # fmt: skip
    _look_for_divided_people(result, by)
    for column in keep_with:
        if values := divided_values(result.table, column):
            raise MaskkitError(
                f"{len(values)} values of {column} are shared with added photos: {examples(values)}",
                why="added photos (pseudo or extra) are in every training, so their like cannot be held out",
                fix=f"drop the added photos that share a {column} with others",
            )
    return result


def _of_other_folds(manifest: Manifest) -> dict[str, pa.Array]:
    """Return `for_fold` with pseudo labels barred from training: their models know other folds' people."""
    is_added = _is_added(manifest, ["pseudo"])
    if not manifest.has("for_fold") or not is_added.any():
        return {}
    log.warning(
        "%d pseudo labels were made for the folds that were: no new fold may train on them. Make them again "
        "with maskkit pseudo",
        is_added.sum(),
    )
    barred = np.full(len(manifest), NO_FOLD, np.int16)
    return {"for_fold": pa.array(barred, mask=~is_added)}


def check_split(manifest: Manifest, *, keep_with: Sequence[str] = ()) -> None:
    """Raise RefusedError if a person, or a value of a column to keep with, is in two folds.

    Without `keep_with`, the columns that the split kept with are looked at.
    """
    manifest.need("fold")
    _need_columns(manifest, keep_with, option="--keep-with")
    keep_with = keep_with or kept_with(manifest)
    if people := divided_values(manifest.table, "person_id"):
        raise RefusedError(
            f"{len(people)} people are in two folds: {examples(people)}",
            why="a score on photos of people the model has seen measures its memory of faces",
            fix="split again: maskkit split --by person",
        )
    for column in keep_with:
        if values := divided_values(manifest.table, column):
            raise RefusedError(
                f"{len(values)} values of {column} are in two folds: {examples(values)}",
                why="their photos belong together, so a model is scored on what it has been trained on",
                fix=f"split again: maskkit split --keep-with {column}",
            )


def kept_with(manifest: Manifest) -> list[str]:
    """Return the columns that the last split kept with, as far as they are still there."""
    split = next((record for record in manifest.header.lineage() if record.stage == "split"), None)
    columns = [] if split is None else split.options.get("keep_with") or []
    return [column for column in columns if manifest.has(column)]


def _need_columns(manifest: Manifest, columns: Sequence[str], *, option: str) -> None:
    usable = [field.name for field in manifest.table.schema if is_key(field.type)]
    for column in columns:
        if column not in usable:
            raise MaskkitError(
                f"there is no column {column!r} of single values for {option}",
                why=f"{manifest.name} has {', '.join(usable)}",
                fix="use one of these columns",
            )


def _groups(manifest: Manifest, by: str) -> Groups:
    if by == "person":
        unknown = int(((manifest.known_people < 0) & _takes_part(manifest)).sum())
        if unknown:
            raise MaskkitError(
                f"{manifest.name} has {unknown} photos without a person",
                why="it cannot be seen which of them belong together",
                fix="label from a table with person_id, or by names of files, such as maskkit label ... "
                r"--person-from '(\d+)_.*'; or use --by image or --by COLUMN and know the risk",
            )
        return manifest.people
    if by == "image":
        return Groups(np.arange(len(manifest)), manifest.table["path"])
    _need_columns(manifest, [by], option="--by, beside person and image")
    return manifest.grouped(by)


def _tied(manifest: Manifest, rows: Ints, group: Ints, keep_with: Sequence[str], *, share: float) -> Ints:
    """Return the group of each row, (rows,), after joining those that share a value; say what was joined."""
    ties = [encoded(manifest.table[column])[0][rows].astype(np.int64) for column in keep_with]
    tied = tied_groups(group, ties)
    before, after = int(group.max(initial=-1)) + 1, int(tied.max(initial=-1)) + 1
    words = ", ".join(keep_with)
    log.info("kept together by %s: %d groups became %d", words, before, after)
    images = np.bincount(tied)
    largest = int(images.argmax()) if len(images) else 0
    members = len(np.unique(group[tied == largest]))
    if members > 1 and images[largest] > LARGE * share * len(rows):
        log.warning(
            "%s ties %d groups (people) with %.1f %% of the photos into one, where a fold should hold "
            "%.1f %%: folds cannot be even. Is a value shared by chance, such as a placeholder? "
            "It should be null",
            *(words, members, 100 * images[largest] / len(rows), 100 * share),
        )
    return tied


def _takes_part(manifest: Manifest) -> Bools:
    """Whether a row may be held out: pseudo-labelled and extra photos never are."""
    return (manifest.labels >= 0) & ~_is_added(manifest)


def _is_added(manifest: Manifest, origins: Sequence[str] = ADDED) -> Bools:
    codes, names = encoded(manifest.table["origin"])
    found: Bools = pc.is_in(names, value_set=pa.array(origins)).to_numpy(zero_copy_only=False)
    return found[codes]


def _strata(manifest: Manifest, rows: Ints, group: Ints, stratify: Sequence[str], *, groups: int) -> Ints:
    """Number each group's stratum by each numeric factor and each column, (groups, stratifiers)."""
    numeric = (one for one in manifest.space.factors if one.is_numeric and manifest.has(one.name))
    cuts = {factor.name: factor.cuts for factor in numeric}
    strata = []
    for column in dict.fromkeys((*cuts, *stratify)):
        values, own = manifest.table[column], cuts.get(column, ())
        codes, mixed = group_strata(values, rows, group, groups=groups, cuts=own)
        strata.append(codes)
        if mixed:
            log.info("%s differs within %d groups (people): each counts by its most frequent", column, mixed)
    return np.stack(strata, axis=1) if strata else np.zeros((groups, 0), np.int64)


def _look_for_missed_share(fold: NDArray[np.int16], share: float, *, groups: int) -> None:
    held = float((fold != NEVER_HELD_OUT).mean())
    if abs(held - share) > FAR * share:
        log.warning(
            "--holdout %g holds out %.1f %% of the photos: no group (person) is divided, and of %d none fit "
            "this share better and keep the classes even. Use --folds, by which each is held out once",
            *(share, 100 * held, groups),
        )


def _look_for_divided_people(manifest: Manifest, by: str) -> None:
    known = ": in this task 0.99 where a leaderboard said 0.6" if manifest.space == HOME else ""
    cost = f"held-out scores will be far too good{known}"
    people = divided_values(manifest.table, "person_id")
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
