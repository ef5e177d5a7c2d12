"""Corrections of labels, as `audit` proposes them and a person confirms them, put into a table."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import nan

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import LEVEL, ORIGINS, factor_levels
from maskkit.artifacts.columns import Ints, encoded
from maskkit.artifacts.files import Source
from maskkit.labelling.correction_lines import (
    STRUCK,
    Correction,
    Value,
    check_lines,
    parsed,
    read_lines,
    refuse_lines,
    rows_of_lines,
)
from maskkit.labels import Factor, LabelSpace
from maskkit.sources.manifest_columns import levels, numbers, replaced

log = logging.getLogger(__name__)

Cell = tuple[int, int]  # a row, and the place of a factor in the label space


def corrected(table: pa.Table, space: LabelSpace, source: Source) -> pa.Table:
    """Return the table with its factors, `label`, `target` and `origin` as the corrections say.

    A line for a path overrides one for a person. A level of a numeric factor makes the number unknown,
    unless the number is in that level already. What changes nothing leaves a row as it is. The table is that
    of a manifest that is being made: `path`, `person_id`, each factor, `label`, ...

    Raises:
        MaskkitError: A line names no photo, factor or value, contradicts another, or expects another value
            than there is.
    """
    written = read_lines(source)
    # A photo's line that is struck keeps its label from being changed by one for the person.
    lines = [line.outcome for line in written if line.reviewed != STRUCK or line.expected is not None]
    check_lines(lines, space, source)
    new = parsed({line: line.value for line in lines}, space, source)
    old = parsed({line: line.expected for line in lines if line.expected is not None}, space, source)
    cells = _cells(rows_of_lines(lines, table, source), new, space, source)
    label = pc.fill_null(table["label"], -1).to_numpy().astype(np.int64)
    rows = np.unique(np.array([row for row, _ in cells], np.int64))
    now = _values(table, label, rows, space)  # of each of the rows, a value per factor
    unlike = {
        line for cell, same in cells.items() for line in same if line in old and not _is(now[cell], old[line])
    }
    refuse_lines(
        source, unlike, "`from` is not what there is now",
        why="the labels have changed since these corrections were written",
        fix="look at these photos again, then correct `from` or delete the lines",
    )  # fmt: skip
    changed = {cell: new[same[0]] for cell, same in cells.items() if not _is(now[cell], new[same[0]])}
    log.info("%d of %d corrected values were new", len(changed), len(cells))
    if not changed:
        return table
    rows = np.unique(np.array([row for row, _ in changed], np.int64))
    after = now | changed
    level = np.array([[after[row, at][0] for at in range(len(space.factors))] for row in rows.tolist()])
    known = (level >= 0).all(axis=1)
    label[rows] = np.where(known, np.ravel_multi_index(tuple(np.maximum(level, 0).T), space.shape), -1)
    lost = [
        cell for cell, (_, number) in changed.items()
        if space.factors[cell[1]].is_numeric and number is None and label[cell[0]] < 0
    ]  # fmt: skip
    refuse_lines(
        source, {line for cell in lost for line in cells[cell]},
        "a level is given where the class is not known",
        why="a level of a number is kept in the class alone, which needs all factors",
        fix="give the number, or correct the other factors of these photos too",
    )  # fmt: skip
    return _changed(table, space, changed, rows, label)


def _is(now: Value, wanted: Value) -> bool:
    """Whether a cell has a value: the number if one is wanted, else a number of the level, or the level."""
    return now == wanted if wanted[1] is not None else now[0] == wanted[0]


def _cells(
    rows: Mapping[Correction, list[int]], new: Mapping[Correction, Value], space: LabelSpace, source: Source
) -> dict[Cell, list[Correction]]:
    """Return the lines that correct each cell, which agree; a path's line overrides a person's."""
    names = [factor.name for factor in space.factors]
    cells: dict[Cell, list[Correction]] = {}
    for line in sorted(rows, key=lambda line: line.path is None):  # paths first
        for row in rows[line]:
            same = cells.setdefault((row, names.index(str(line.column))), [])
            if not same or (same[0].path is None) == (line.path is None):
                same.append(line)
    clash = {line for same in cells.values() for line in same if new[line] != new[same[0]]}
    clash |= {same[0] for same in cells.values() if clash.intersection(same)}
    refuse_lines(
        source, clash, "two values for the same photo", why="nothing says which of them is right",
        fix="delete one of the lines",
    )  # fmt: skip
    return cells


def _values(table: pa.Table, label: Ints, rows: Ints, space: LabelSpace) -> dict[Cell, Value]:
    """Return the values that each factor has in some rows; a label names more than the columns may hold."""
    part = table.select([factor.name for factor in space.factors]).take(pa.array(rows))
    level = factor_levels(part, label[rows], space, name="the table")  # (rows, factors)
    found: dict[Cell, Value] = {}
    for at, factor in enumerate(space.factors):
        number = part[factor.name].cast(pa.float64()).to_pylist() if factor.is_numeric else [None] * len(rows)
        values = zip(level[:, at].tolist(), number, strict=True)
        found |= {(row, at): value for row, value in zip(rows.tolist(), values, strict=True)}
    return found


def _changed(
    table: pa.Table, space: LabelSpace, changed: Mapping[Cell, Value], rows: Ints, label: Ints
) -> pa.Table:
    """Return the table with cells changed, and with the label, target and origin of their rows."""
    for at, factor in enumerate(space.factors):
        own = {row: value for (row, place), value in changed.items() if place == at}
        if own:
            table = replaced(table, factor.name, _column(factor, table[factor.name], own))
    target = pc.fill_null(table["target"], -1).to_numpy().copy()
    target[rows] = label[rows]
    origin = pc.index_in(table["origin"].cast(pa.string()), value_set=pa.array(ORIGINS, pa.string()))
    codes = origin.to_numpy().astype(np.int16)
    codes[rows] = ORIGINS.index("corrected")
    table = replaced(table, "label", pa.array(label.astype(np.int16), mask=label < 0))
    table = replaced(table, "target", pa.array(target, mask=target < 0))
    origins = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ORIGINS, pa.string()))
    return replaced(table, "origin", origins.cast(LEVEL))


def _column(factor: Factor, column: pa.ChunkedArray, own: Mapping[int, Value]) -> pa.Array:
    if factor.is_numeric:
        number = np.array(column.cast(pa.float64()).to_numpy(), np.float64)  # NaN where there is none
        number[list(own)] = [nan if value is None else value for _, value in own.values()]
        return numbers(factor, pa.chunked_array([pa.array(number, mask=np.isnan(number))]))
    codes = encoded(pa.chunked_array([levels(factor, column)]))[0].astype(np.int16)
    codes[list(own)] = [level for level, _ in own.values()]
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), list(factor.levels))
