"""What a manifest must hold before any stage works with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.columns import are_probabilities, encoded, repeated, surely_plain_paths
from maskkit.artifacts.header import Header
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.labels import AGE, OLDEST, LabelSpace

LEVEL = pa.dictionary(pa.int16(), pa.string())
BOX = pa.list_(pa.float32(), 4)
COLUMNS = {
    "path": pa.string(),
    "person_id": pa.string(),
    "label": pa.int16(),
    "target": pa.int16(),
    "target_probs": pa.list_(pa.float32()),  # as many as there are classes
    "weight": pa.float32(),
    "origin": LEVEL,
    "box": BOX,
    "fold": pa.int16(),
    "for_fold": pa.int16(),
    "flags": pa.list_(pa.string()),
}
REQUIRED = ("path", "person_id", "label", "target", "weight", "origin")
ORIGINS = ("given", "corrected", "pseudo", "extra")
ADDED = ("pseudo", "extra")  # never held out, and perhaps from a folder beside the root
NO_FOLD = -1  # in `for_fold`: a pseudo label that no fold may train on
NOT_RELATIVE = r"^/|(^|/)\.{0,2}(/|$)"  # absolute, or with an empty part, `.` or `..`
BESIDE = r"^(\.\./)+"  # how a path to a folder beside the root begins

Lists = NDArray[np.float32]  # (rows, width)


def check(table: pa.Table, header: Header, *, name: str, divided: bool = False) -> pa.Table:
    """Return the table with its columns in their proper types, or raise what contradicts what.

    Other programs may write a manifest too, so wider types are cast as long as no value is lost.
    People may be in two folds if they are `divided`, or if the split grouped by something else.
    """
    assert header.space is not None
    table = _typed(table, header.space, name=name)
    _check_paths(table, name=name)
    _check_labels(table, header.space, name=name)
    _check_values(table, name=name)
    _check_ages(table, header.space, name=name)
    split = next((record for record in header.lineage() if record.stage == "split"), None)
    is_by_person = split is None or split.options.get("by", "person") == "person"
    if "fold" in table.column_names and not divided and is_by_person:
        people = divided_values(table, "person_id")
        if people:
            raise RefusedError(
                f"{name} has people in two folds: {examples(people)}",
                why="a model held out on photos of people it has seen is scored on its memory of faces",
                fix="split again: maskkit split --by person",
            )
    return table


def divided_values(table: pa.Table, column: str) -> list[Any]:
    """Return the values of a column found in two or more folds, in the order of their first photo."""
    part = pa.table({"value": table[column], "fold": table["fold"]})
    part = part.filter(pc.and_(pc.is_valid(part["fold"]), pc.is_valid(part["value"])))
    folds = part.group_by("value", use_threads=False).aggregate([("fold", "min"), ("fold", "max")])
    return folds.filter(pc.less(folds["fold_min"], folds["fold_max"]))["value"].to_pylist()  # type: ignore[no-any-return]


def labels_from_factors(table: pa.Table, space: LabelSpace, *, name: str) -> NDArray[np.int64]:
    """Return each row's joint class, (rows,); -1 where any factor is unknown.

    Raises:
        MaskkitError: A categorical factor holds a value that is not one of its levels.
    """
    label = np.zeros(len(table), np.int64)
    known = np.ones(len(table), np.bool_)
    for factor in space.factors:
        column = table[factor.name]
        if factor.is_numeric:
            numbers = pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy()
            level = np.searchsorted(np.asarray(factor.cuts, np.float64), numbers, side="right")
            missing = np.isnan(numbers)
        else:
            codes, names = encoded(column)
            found = pc.index_in(names.cast(pa.string()), value_set=pa.array(factor.levels, pa.string()))
            # The last answers for code -1, which is null.
            level = np.append(pc.fill_null(found, -1).to_numpy().astype(np.int64), 0)[codes]
            missing = codes < 0
            unknown = level < 0
            if unknown.any():
                values = names.take(pa.array(np.unique(codes[unknown]))).to_pylist()
                raise MaskkitError(
                    f"{name}: {factor.name} has values that are not levels: {examples(values)}",
                    why=f"{factor.name} is one of {', '.join(factor.levels)}",
                    fix="correct the values, or describe your own levels with `maskkit label --task FILE`",
                )
        label = label * len(factor.levels) + level
        known &= ~missing
    return np.where(known, label, -1)


def factor_levels(
    table: pa.Table, labels: NDArray[np.int64], space: LabelSpace, *, name: str
) -> NDArray[np.int64]:
    """Return the level of each factor, (rows, factors); -1 where unknown.

    A label holds them all; a row without one, (rows,) -1, may still have some in its columns.

    Raises:
        MaskkitError: A categorical factor holds a value that is not one of its levels.
    """
    levels = np.stack(np.unravel_index(np.maximum(labels, 0), space.shape), axis=1).astype(np.int64)
    rows = np.flatnonzero(labels < 0)
    if len(rows):
        levels[rows] = -1
        for place, factor in enumerate(space.factors):
            if factor.name in table.column_names:
                column = table.select([factor.name]).take(pa.array(rows))
                levels[rows, place] = labels_from_factors(column, LabelSpace((factor,)), name=name)
    return levels


def _typed(table: pa.Table, space: LabelSpace, *, name: str) -> pa.Table:
    for column in REQUIRED:
        if column not in table.column_names:
            raise MaskkitError(
                f"{name} has no column {column!r}",
                why=f"a manifest has {', '.join(REQUIRED)}",
                fix="make it with `maskkit label`, and only ever add columns",
            )
    for index, field in enumerate(table.schema):
        wanted = _wanted_type(field, space)
        if wanted is None or field.type == wanted:
            continue
        try:
            values = table[field.name].cast(pa.string()) if wanted == LEVEL else table[field.name]
            table = table.set_column(index, field.name, values.cast(wanted))
        except pa.ArrowException as error:
            raise MaskkitError(
                f"{name}: column {field.name!r} holds {field.type}",
                why=f"it must hold {wanted}: {str(error).splitlines()[0]}",
                fix="write it with that type",
            ) from error
    return table


def _wanted_type(field: pa.Field, space: LabelSpace) -> pa.DataType | None:
    """Return the type that a column must have, or None if this one is as good as any."""
    if field.name == "target_probs":
        return pa.list_(pa.float32(), len(space))
    factor = next((factor for factor in space.factors if factor.name == field.name), None)
    if field.name in COLUMNS or factor is None:
        return COLUMNS.get(field.name)
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    if factor.is_numeric:
        return None if is_number else pa.float64()
    return LEVEL


def _check_paths(table: pa.Table, *, name: str) -> None:
    paths = table["path"]
    if paths.null_count:
        raise MaskkitError(
            f"{name} has {paths.null_count} rows without a path",
            why="the path names the photo and joins tables",
            fix="drop these rows",
        )
    if not surely_plain_paths(paths):
        _refuse_outside(paths, table["origin"], name=name)
    twice = repeated(paths)
    if twice:
        raise MaskkitError(
            f"{name} lists photos twice: {examples(twice)}",
            why="the path joins tables, so it is unique",
            fix="drop the repeated rows",
        )


def _refuse_outside(paths: pa.ChunkedArray, origin: pa.ChunkedArray, *, name: str) -> None:
    impossible = paths.filter(pc.match_substring(paths, "\0"))
    if len(impossible):
        raise MaskkitError(
            f"{name} has paths with a NUL (character 0): {examples(map(repr, impossible.to_pylist()))}",
            why="no file can be named so",
            fix="look at what wrote the table, and write these paths again",
        )
    odd = pc.match_substring_regex(paths, NOT_RELATIVE)
    if pc.any(odd, min_count=0).as_py():
        is_added = pc.is_in(origin.cast(pa.string()), value_set=pa.array(ADDED))
        inside = pc.replace_substring_regex(paths, BESIDE, "")
        odd = pc.if_else(is_added, pc.match_substring_regex(inside, NOT_RELATIVE), odd)
    outside = paths.filter(odd)
    if len(outside):
        raise MaskkitError(
            f"{name} has paths that are not under a root: {examples(outside.to_pylist())}",
            why="a path is relative to the photo root, with neither `.` nor `..` in it; only that of an "
            "added photo (pseudo, extra) may begin with `../`",
            fix="give --root a folder that holds all photos, and the paths below it",
        )


def _check_labels(table: pa.Table, space: LabelSpace, *, name: str) -> None:
    for column in ("label", "target"):
        values = pc.fill_null(table[column], 0)
        if len(table) and not 0 <= pc.min(values).as_py() <= pc.max(values).as_py() < len(space):
            raise MaskkitError(
                f"{name}: {column} runs from {pc.min(values)} to {pc.max(values)}",
                why=f"its label space has classes 0 to {len(space) - 1}",
                fix="make it again with `maskkit label`",
            )
    if not all(factor.name in table.column_names for factor in space.factors):
        return  # someone's own table of paths and labels: there is nothing to compare
    truth = pc.fill_null(table["label"], -1).to_numpy()
    composed = labels_from_factors(table, space, name=name)
    differs = (truth != composed) & (truth >= 0) & (composed >= 0)
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        raise MaskkitError(
            f"{name}: the label of {differs.sum()} rows is not what their factors say",
            why=f"{table['path'][row]} has label {truth[row]}, its factors make {composed[row]} "
            f"({space.names[composed[row]]})",
            fix="change factors and label together, or make the manifest again with `maskkit label`",
        )


def _check_values(table: pa.Table, *, name: str) -> None:
    weight, origin = table["weight"], table["origin"].cast(pa.string())
    rules = {
        "weight": (pc.and_(pc.is_finite(weight), pc.greater_equal(weight, 0)), "a number from 0 on"),
        "origin": (pc.is_in(origin, value_set=pa.array(ORIGINS)), f"one of {', '.join(ORIGINS)}"),
    }
    if "fold" in table.column_names:
        fits = pc.fill_null(pc.greater_equal(table["fold"], -1), True)
        rules["fold"] = (fits, "0 or more, -1 for never held out, or null for not in the split")
    if "for_fold" in table.column_names:
        fits = pc.fill_null(pc.greater_equal(table["for_fold"], NO_FOLD), True)
        rules["for_fold"] = (fits, "the only fold that may train on the row, -1 for none, or null for all")
    if "target_probs" in table.column_names:
        fits = _all_fit(table["target_probs"], are_probabilities)
        rules["target_probs"] = (fits, "a probability per class with a sum of 1, or null")
    if "box" in table.column_names:
        fits = _all_fit(table["box"], _are_boxes)
        rules["box"] = (fits, "x0, y0, x1, y1 from 0 to 1 with x0 < x1 and y0 < y1, or null")
    for column, (fits, wanted) in rules.items():
        bad = pc.invert(pc.fill_null(fits, False))
        if pc.any(bad, min_count=0).as_py():
            is_list = pa.types.is_fixed_size_list(table[column].type)  # of which there are no unique values
            values = pc.unique(table["path" if is_list else column].filter(bad)).to_pylist()
            raise MaskkitError(
                f"{name}: {column} {'does not fit in' if is_list else 'is'} {examples(values)}",
                why=f"it is {wanted}",
                fix="correct these rows",
            )


def _check_ages(table: pa.Table, space: LabelSpace, *, name: str) -> None:
    if AGE not in table.column_names or not any(one.name == AGE and one.is_numeric for one in space.factors):
        return
    ages = table[AGE]
    bad = ages.filter(pc.or_(pc.less(ages, 0), pc.greater(ages, OLDEST)))
    if len(bad):
        raise MaskkitError(
            f"{name}: {AGE} is {examples(pc.unique(bad).to_pylist())}",
            why=f"nobody's age is below 0 or above {OLDEST}",
            fix="make it null where it is not known, or make the manifest again with `maskkit label`",
        )


def _all_fit(column: pa.ChunkedArray, rule: Callable[[Lists], NDArray[np.bool_]]) -> pa.Array:
    """Return whether each list of a column is null or keeps the rule; a null in it comes to that as NaN."""
    is_known = column.is_valid()
    flat = column.filter(is_known).combine_chunks().flatten()
    lists = pc.fill_null(flat, np.nan).to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    fits = ~is_known.to_numpy()
    fits[~fits] = rule(lists)
    return pa.array(fits)


def _are_boxes(boxes: Lists) -> NDArray[np.bool_]:
    are_inside = ((boxes >= 0) & (boxes <= 1)).all(axis=1)
    return np.asarray(are_inside & (boxes[:, :2] < boxes[:, 2:]).all(axis=1))
