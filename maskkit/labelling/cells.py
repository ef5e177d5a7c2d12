"""Cells of a manifest's factors, read and changed together with the class that they make."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import LEVEL, ORIGINS
from maskkit.artifacts.columns import encoded
from maskkit.labels import Factor, LabelSpace
from maskkit.sources.table_cells import levels, numbers

Integers = NDArray[np.int64]
CORRECTED = "corrected"


@dataclass(frozen=True)
class Cells:
    """Values for cells, each array (cells,)."""

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
class State:
    """A table, and the label of each row, (rows,); -1 where unknown."""

    table: pa.Table
    space: LabelSpace
    label: Integers

    @classmethod
    def of(cls, table: pa.Table, space: LabelSpace) -> State:
        """Look at a table."""
        return cls(table, space, pc.fill_null(table["label"], -1).to_numpy().astype(np.int64))

    def levels(self, rows: Integers) -> Integers:
        """Return the level of each factor, (rows, factors); -1 where unknown.

        A label knows more than the factors: class folders tell an age band, but no age.
        """
        label = self.label[rows]
        told = np.stack(np.unravel_index(np.maximum(label, 0), self.space.shape), axis=1)
        alone = [self._level(factor, rows) for factor in self.space.factors]
        return np.where(label[:, None] >= 0, told, np.stack(alone, axis=1))

    def at(self, cells: Cells) -> tuple[Integers, NDArray[np.float64]]:
        """Return the level and the number that the cells have now, (cells,); -1 and NaN if unknown."""
        level = self.levels(cells.row)[np.arange(len(cells.row)), cells.factor]
        number = np.full(len(cells.row), nan)
        for place, factor in enumerate(self.space.factors):
            here = cells.factor == place
            if factor.is_numeric:
                number[here] = self._number(factor, cells.row[here])
        return level, number

    def differs(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether a cell's new value is another than it has, (cells,)."""
        level, number = self.at(cells)
        other = ~np.isnan(cells.number) & (cells.number != number)
        return np.asarray((cells.level != level) | other, np.bool_)

    def then(self, cells: Cells) -> tuple[State, Integers]:
        """Return the state with these cells changed, and the lines whose level would be lost.

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
                table = _set(table, factor.name, _changed(factor, table[factor.name], here))
        table = _set(table, "label", pa.array(label.astype(np.int16), mask=label < 0))
        target = pc.fill_null(table["target"], -1).to_numpy().copy()
        target[rows] = label[rows]
        table = _set(table, "target", pa.array(target, mask=target < 0))
        table = _set(table, "origin", _with_origin(table["origin"], rows))
        return State(table, self.space, label), lost

    def _level(self, factor: Factor, rows: Integers) -> Integers:
        if factor.is_numeric:
            number = self._number(factor, rows)
            level = np.searchsorted(np.asarray(factor.cuts, np.float64), number, side="right")
            return np.where(np.isnan(number), -1, level)
        texts = self.table[factor.name].take(pa.array(rows)).cast(pa.string())
        found = pc.index_in(texts, value_set=pa.array(factor.levels, pa.string()))
        return pc.fill_null(found, -1).to_numpy().astype(np.int64)  # type: ignore[no-any-return]

    def _number(self, factor: Factor, rows: Integers) -> NDArray[np.float64]:
        values = self.table[factor.name].take(pa.array(rows)).cast(pa.float64())
        return pc.fill_null(values, nan).to_numpy()  # type: ignore[no-any-return]


def _changed(factor: Factor, column: pa.ChunkedArray, cells: Cells) -> pa.Array:
    if factor.is_numeric:
        number = pc.fill_null(column.cast(pa.float64()), nan).to_numpy().copy()
        number[cells.row] = cells.number
        return numbers(factor, pa.chunked_array([pa.array(number, mask=np.isnan(number))]))
    codes, _ = encoded(pa.chunked_array([levels(factor, column)]))
    codes = codes.astype(np.int16)
    codes[cells.row] = cells.level
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(factor.levels, pa.string())
    )


def _with_origin(column: pa.ChunkedArray, rows: Integers) -> pa.Array:
    found = pc.index_in(column.cast(pa.string()), value_set=pa.array(ORIGINS, pa.string()))
    codes = found.to_numpy().astype(np.int16)
    codes[rows] = ORIGINS.index(CORRECTED)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ORIGINS, pa.string())).cast(LEVEL)


def _set(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)
