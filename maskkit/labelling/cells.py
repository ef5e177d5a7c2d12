"""Cells of a manifest's factors, read and changed together with the class that they make."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import LEVEL, ORIGINS, factor_levels
from maskkit.artifacts.columns import encoded
from maskkit.labels import Factor, LabelSpace
from maskkit.sources.manifest_columns import levels, numbers, replaced

Integers = NDArray[np.int64]
CORRECTED = "corrected"


@dataclass(frozen=True)
class Cells:
    """New values for cells of a table, each array (cells,)."""

    row: Integers
    factor: Integers  # its place in the label space
    level: Integers
    number: NDArray[np.float64]  # NaN where only the level is known
    line: Integers  # of the file that says so, from 0

    def take(self, which: NDArray[Any]) -> Cells:
        """Return some of them, by mask or indices."""
        parts = (self.row, self.factor, self.level, self.number, self.line)
        return Cells(*(part[which] for part in parts))


@dataclass(frozen=True)
class LabelledTable:
    """A table, and the label of each row, (rows,); -1 where unknown."""

    table: pa.Table
    space: LabelSpace
    label: Integers

    @classmethod
    def of(cls, table: pa.Table, space: LabelSpace) -> LabelledTable:
        """Take the labels out of a table's column `label`."""
        return cls(table, space, pc.fill_null(table["label"], -1).to_numpy().astype(np.int64))

    def levels(self, rows: Integers) -> Integers:
        """Return the level of each factor, (rows, factors); -1 where unknown."""
        table = self.table.select([factor.name for factor in self.space.factors]).take(pa.array(rows))
        return factor_levels(table, self.label[rows], self.space, name="the table")

    def at(self, cells: Cells) -> tuple[Integers, NDArray[np.float64]]:
        """Return the level and the number that the cells have now, (cells,); -1 and NaN if unknown."""
        level = self.levels(cells.row)[np.arange(len(cells.row)), cells.factor]
        number = np.full(len(cells.row), nan)
        for place, factor in enumerate(self.space.factors):
            here = cells.factor == place
            if factor.is_numeric:
                number[here] = _numbers(self.table[factor.name])[cells.row[here]]
        return level, number

    def differs(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether a cell's new value is another than it has, (cells,)."""
        level, number = self.at(cells)
        other = ~np.isnan(cells.number) & (cells.number != number)
        return np.asarray((cells.level != level) | other, np.bool_)

    def then(self, cells: Cells) -> tuple[LabelledTable, Integers]:
        """Return the table with these cells changed, and the lines whose level would be lost.

        A level of a number is kept only in the label, which is unknown while any factor is.
        """
        rows, at = np.unique(cells.row, return_inverse=True)
        now = self.levels(rows)  # (changed, factors)
        now[at, cells.factor] = cells.level
        known = np.asarray(now.min(axis=1) >= 0, np.bool_)
        label = self.label.copy()
        label[rows] = np.where(known, np.ravel_multi_index(tuple(np.maximum(now, 0).T), self.space.shape), -1)
        numeric = [place for place, factor in enumerate(self.space.factors) if factor.is_numeric]
        lost = cells.line[np.isin(cells.factor, numeric) & np.isnan(cells.number) & ~known[at]]
        table = self.table
        for place, factor in enumerate(self.space.factors):
            here = cells.take(cells.factor == place)
            if len(here.row):
                table = replaced(table, factor.name, _changed(factor, table[factor.name], here))
        table = replaced(table, "label", pa.array(label.astype(np.int16), mask=label < 0))
        target = pc.fill_null(table["target"], -1).to_numpy().copy()
        target[rows] = label[rows]
        table = replaced(table, "target", pa.array(target, mask=target < 0))
        table = replaced(table, "origin", _with_origin(table["origin"], rows))
        return LabelledTable(table, self.space, label), lost


def _changed(factor: Factor, column: pa.ChunkedArray, cells: Cells) -> pa.Array:
    if factor.is_numeric:
        number = _numbers(column)
        number[cells.row] = cells.number
        return numbers(factor, pa.chunked_array([pa.array(number, mask=np.isnan(number))]))
    codes, _ = encoded(pa.chunked_array([levels(factor, column)]))
    codes = codes.astype(np.int16)
    codes[cells.row] = cells.level
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(factor.levels, pa.string())
    )


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.array(column.cast(pa.float64()).to_numpy(), np.float64)  # NaN where there is none


def _with_origin(column: pa.ChunkedArray, rows: Integers) -> pa.Array:
    found = pc.index_in(column.cast(pa.string()), value_set=pa.array(ORIGINS, pa.string()))
    codes = found.to_numpy().astype(np.int16)
    codes[rows] = ORIGINS.index(CORRECTED)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ORIGINS, pa.string())).cast(LEVEL)
