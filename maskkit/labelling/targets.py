"""What is trained on in place of the truth: other cuts, and rows that are left out."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.labels import Factor, LabelSpace
from maskkit.options.rules import named_factor

log = logging.getLogger(__name__)

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})(?:\s*-\s*({_NUMBER}))?")  # the minus of -5--3 that stands between numbers


def with_train_cuts(table: pa.Table, space: LabelSpace, cuts: Mapping[str, Sequence[float]]) -> pa.Table:
    """Return the table with `target` made of other cuts; `label`, which is scored, stays.

    A row whose number is not known, or that has no label, keeps its target.

    Args:
        table: With `target` and a column per factor.
        space: The label space, whose own cuts the labels are made of.
        cuts: Where each level but the first begins, per numeric factor.

    Raises:
        MaskkitError: A factor is not there or has no cuts, or the cuts do not fit its levels.
    """
    target = pc.fill_null(table["target"], -1).to_numpy().astype(np.int64)  # (rows,)
    for name, given in cuts.items():
        truth = named_factor(name, space, option="--train-cuts")
        factor, place = _recut(truth, given), space.factors.index(truth)
        stride = prod(space.shape[place + 1 :])  # from one level of this factor to the next
        number = _numbers(table[name])
        known = ~np.isnan(number) & (target >= 0)
        level = np.searchsorted(np.asarray(factor.cuts, np.float64), number[known], side="right")
        target[known] += (level - target[known] // stride % len(factor.levels)) * stride
    if not cuts:
        return table
    return _replaced(table, "target", pa.array(target.astype(np.int16), mask=target < 0))


def with_ignored(table: pa.Table, space: LabelSpace, rules: Mapping[str, Sequence[str]]) -> pa.Table:
    """Return the table with weight 0 where a rule matches: never trained on, and still scored.

    A rule that no row matches is warned of: it may be mistyped.

    Args:
        table: With `weight` and a column per factor.
        space: The label space.
        rules: Per factor what is left out: level names, or for a number `57` or `57-59`, both ends included.

    Raises:
        MaskkitError: A factor is not there, or a value is neither a level nor a range of it.
    """
    ignored = np.zeros(len(table), np.bool_)
    for name, values in rules.items():
        factor = named_factor(name, space, option="--ignore")
        matches = _in_ranges if factor.is_numeric else _of_levels
        for value, found in zip(values, matches(table[name], factor, values), strict=True):
            if not found.any():
                log.warning("--ignore %s=%s matches no photo", name, value)
            ignored |= found
    if not ignored.any():
        return table
    weight = np.where(ignored, np.float32(0), table["weight"].to_numpy())
    return _replaced(table, "weight", pa.array(weight))


def _recut(factor: Factor, cuts: Sequence[float]) -> Factor:
    wanted = len(factor.levels) - 1
    if not factor.is_numeric:
        raise MaskkitError(
            f"--train-cuts cuts {factor.name}",
            why=f"{factor.name} is no number, but one of {', '.join(factor.levels)}",
            fix="leave it out; --corrections changes single photos",
        )
    is_ascending = bool(np.isfinite(cuts).all()) and list(cuts) == sorted(set(cuts))
    if len(cuts) != wanted or not is_ascending:
        raise MaskkitError(
            f"--train-cuts cuts {factor.name} at {', '.join(map(str, cuts))}",
            why=f"its {len(factor.levels)} levels {', '.join(factor.levels)} "
            f"are divided by {wanted} ascending cuts",
            fix=f"give {wanted}, such as {factor.name}={','.join(f'{cut:.15g}' for cut in factor.cuts)}",
        )
    return Factor(factor.name, factor.levels, tuple(cuts))


def _in_ranges(column: pa.ChunkedArray, factor: Factor, values: Sequence[str]) -> list[NDArray[np.bool_]]:
    number = _numbers(column)
    found = []
    for value in values:
        parts = _RANGE.fullmatch(value)
        low, high = (float(parts[1]), float(parts[2] or parts[1])) if parts else (1.0, 0.0)
        if low > high:
            raise MaskkitError(
                f"--ignore {factor.name}={value}",
                why=f"{factor.name} is a number: one of them, or the lowest and the highest",
                fix=f"write it like {factor.name}=57-59, or {factor.name}=-5--3 below zero",
            )
        found.append((number >= low) & (number <= high))
    return found


def _of_levels(column: pa.ChunkedArray, factor: Factor, values: Sequence[str]) -> list[NDArray[np.bool_]]:
    strangers = [value for value in values if value not in factor.levels]
    if strangers:
        raise MaskkitError(
            f"--ignore {factor.name}={','.join(strangers)}",
            why=f"the levels of {factor.name} are {', '.join(factor.levels)}",
            fix="correct the value",
        )
    texts = column.cast(pa.string())
    return [
        pc.fill_null(pc.equal(texts, value), False).to_numpy(zero_copy_only=False).astype(np.bool_)
        for value in values
    ]


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return numbers, (rows,); NaN where there is none."""
    return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(), np.float64)


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)
