"""What is trained on in place of the truth: other cuts, shared levels, and rows that are left out."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.columns import Bools, Floats, Ints
from maskkit.errors import MaskkitError
from maskkit.labelling.spread import target_probs
from maskkit.labels import Factor, LabelSpace
from maskkit.options.values import named_factor
from maskkit.sources.manifest_columns import replaced

log = logging.getLogger(__name__)

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})(?:\s*-\s*({_NUMBER}))?")  # the minus of -5--3 that stands between numbers


@dataclass(frozen=True)
class TargetRules:
    """What is trained on in place of the labels, which are what is scored and stay as they are."""

    # Where each level but the first begins, per numeric factor, for `target` alone.
    train_cuts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    # What gets weight 0, per factor: level names, or for a number `57` or `57-59`, both ends included.
    ignore: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # By how much a number may be off, per numeric factor, as a standard deviation: for `target_probs`.
    spread: Mapping[str, float] = field(default_factory=dict)

    def applied(self, table: pa.Table, space: LabelSpace) -> pa.Table:
        """Return a table of `target`, `weight` and a column per factor with other targets and weights.

        With a spread it has `target_probs` too, about the targets.

        A row whose number is not known, or that has no label, keeps its target. A value to ignore that no
        row has is warned of: it may be mistyped.

        Raises:
            MaskkitError: A factor is not there, cuts do not fit its levels, or a value is neither a level nor
                a range of it.
        """
        if self.train_cuts:
            target = self._target(table, space)
            table = replaced(table, "target", pa.array(target.astype(np.int16), mask=target < 0))
        if self.spread:
            target = _targets(table)
            table = table.append_column(
                "target_probs", target_probs(table, space, target, self.spread, self.train_cuts)
            )
        ignored = self._ignored(table, space)
        if ignored.any():
            weight = np.where(ignored, np.float32(0), table["weight"].to_numpy())
            table = replaced(table, "weight", pa.array(weight))
        return table

    def to_json(self) -> dict[str, Any]:
        """Return all as options for a manifest's history."""
        rules = {"train_cuts": self.train_cuts, "ignore": self.ignore}
        spread = {"train_spread": {factor: [deviation] for factor, deviation in self.spread.items()}}
        return spread | {
            name: {factor: list(each) for factor, each in rule.items()} for name, rule in rules.items()
        }

    def _target(self, table: pa.Table, space: LabelSpace) -> Ints:
        target = _targets(table)
        for name, given in self.train_cuts.items():
            truth = named_factor(name, space, option="--train-cuts")
            factor, place = _recut(truth, given), space.factors.index(truth)
            stride = prod(space.shape[place + 1 :])  # from one level of this factor to the next
            number = _numbers(table[name])
            known = ~np.isnan(number) & (target >= 0)
            level = np.searchsorted(np.asarray(factor.cuts, np.float64), number[known], side="right")
            target[known] += (level - target[known] // stride % len(factor.levels)) * stride
        return target

    def _ignored(self, table: pa.Table, space: LabelSpace) -> Bools:
        ignored = np.zeros(len(table), np.bool_)
        for name, values in self.ignore.items():
            factor = named_factor(name, space, option="--ignore")
            matches = _in_ranges if factor.is_numeric else _of_levels
            for value, found in zip(values, matches(table[name], factor, values), strict=True):
                if not found.any():
                    log.warning("--ignore %s=%s matches no photo", name, value)
                ignored |= found
        return ignored


AS_LABELLED = TargetRules()


def _targets(table: pa.Table) -> Ints:
    """Return the class that each row is trained as, (rows,); -1 for none."""
    return np.array(pc.fill_null(table["target"], -1).to_numpy(), np.int64)


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


def _in_ranges(column: pa.ChunkedArray, factor: Factor, values: Sequence[str]) -> list[Bools]:
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


def _of_levels(column: pa.ChunkedArray, factor: Factor, values: Sequence[str]) -> list[Bools]:
    unknown = [value for value in values if value not in factor.levels]
    if unknown:
        raise MaskkitError(
            f"--ignore {factor.name}={','.join(unknown)}",
            why=f"the levels of {factor.name} are {', '.join(factor.levels)}",
            fix="correct the value",
        )
    texts = column.cast(pa.string())
    return [np.asarray(pc.fill_null(pc.equal(texts, value), False).to_numpy(), np.bool_) for value in values]


def _numbers(column: pa.ChunkedArray) -> Floats:
    """Return numbers, (rows,); NaN where there is none."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
