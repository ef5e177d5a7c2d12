"""Corrections of labels, as `audit` writes them and a person edits them: a CSV of one cell per line.

`path` or `person_id` says which photos, `column` which factor, `value` what it is. `from`, if it is there,
says what it was when the correction was written. Other columns are for people.
"""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.columns import encoded
from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError, examples
from maskkit.labelling.cells import Cells, LabelledTable
from maskkit.labels import Factor, LabelSpace
from maskkit.sources.manifest_columns import short_paths
from maskkit.sources.reading import read_csv

log = logging.getLogger(__name__)

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class _File:
    """The lines of a file of corrections; null where a cell is empty."""

    source: Source
    path: pa.ChunkedArray
    person: pa.ChunkedArray
    column: pa.ChunkedArray
    value: pa.ChunkedArray
    expected: pa.ChunkedArray

    def __len__(self) -> int:
        return len(self.value)

    def refuse(self, bad: NDArray[Any], what: str, *, why: str, fix: str) -> None:
        """Raise if there are bad corrections (a mask or indices), naming their lines and what they say."""
        rows = np.flatnonzero(bad) if bad.dtype == np.bool_ else bad
        if len(rows):
            lines = self._lines()
            named = examples(f"line {lines[row]} ({self._says(int(row))})" for row in rows)
            raise MaskkitError(f"{self.source.title}: {what}: {named}", why=why, fix=fix)

    def _says(self, row: int) -> str:
        cells = [column[row].as_py() for column in (self.path, self.person, self.column, self.value)]
        who = cells[0] or f"person {cells[1]}"
        return f"{who}, {cells[2]}, {cells[3]}"

    def _lines(self) -> list[int]:
        """Return the line that each correction begins in, passing over empty lines as the reader does."""
        lines, begins = [], 1
        with io.TextIOWrapper(pa.BufferReader(self.source.data), encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, skipinitialspace=True)
            for cells in reader:
                if cells:
                    lines.append(begins)
                begins = reader.line_num + 1
        return lines[1:]


def corrected(table: pa.Table, space: LabelSpace, source: Source) -> pa.Table:
    """Return the table with its factors, `label`, `target` and `origin` as the corrections say.

    A line for a path overrides one for a person. A level of a numeric factor makes the number unknown,
    unless the number is in that level already. What changes nothing leaves a row as it is.

    Args:
        table: Of a manifest that is being made: `path`, `person_id`, each factor, `label`, ...
        space: The label space.
        source: The CSV.

    Raises:
        MaskkitError: A line names no photo, factor or value, contradicts another, or expects another value
            than there is.
    """
    file = _read(source)
    _check_lines(file, space)
    factor = _codes(file.column, [factor.name for factor in space.factors])
    level, number = _parsed(file, file.value, factor, space)
    row, line = _places(file, table)
    cells = _cells(file, row, line, factor, level, number)
    now = LabelledTable.of(table, space)
    _check_expected(file, cells, now, factor)
    changed = cells.take(now.differs(cells))
    log.info("%d of %d corrected values were new", len(changed.row), len(cells.row))
    if not len(changed.row):
        return table
    after, lost = now.then(changed)
    file.refuse(
        np.unique(lost), "a level is given where the class is not known",
        why="a level of a number is kept in the class alone, which needs all factors",
        fix="give the number, or correct the other factors of these photos too",
    )  # fmt: skip
    return after.table


def _read(source: Source) -> _File:
    table = read_csv(source)
    names = table.column_names
    if not {"column", "value"} <= set(names) or not {"path", "person_id"} & set(names):
        raise MaskkitError(
            f"{source.title} has the columns {', '.join(names)}",
            why="corrections have the columns `column` and `value`, and `path` or `person_id`",
            fix="add the columns; `from` and any others may be there too",
        )
    empty = pa.chunked_array([pa.nulls(len(table), pa.string())])

    def cells(name: str) -> pa.ChunkedArray:
        given = table[name] if name in names else empty
        trimmed = pc.utf8_trim_whitespace(given)
        # A file's name may end in a space.
        return pc.if_else(pc.equal(trimmed, ""), None, given if name == "path" else trimmed)

    return _File(
        source, short_paths(cells("path")), cells("person_id"), cells("column"), cells("value"), cells("from")
    )


def _check_lines(file: _File, space: LabelSpace) -> None:
    nobody = pc.and_(file.path.is_null(), file.person.is_null())
    names = [factor.name for factor in space.factors]
    file.refuse(
        _mask(nobody), "no photo is named", why="`path` or `person_id` says which photos are meant",
        fix="fill one of them in, or delete the lines",
    )  # fmt: skip
    file.refuse(
        _codes(file.column, names) < 0, "these columns cannot be corrected",
        why=f"`column` is one of {', '.join(names)}", fix="correct or delete the lines",
    )  # fmt: skip
    file.refuse(
        _mask(file.value.is_null()), "the value is empty", why="it is what the photo's label becomes",
        fix="fill it in, or delete the lines",
    )  # fmt: skip


def _parsed(
    file: _File, column: pa.ChunkedArray, factor: Integers, space: LabelSpace
) -> tuple[Integers, NDArray[np.float64]]:
    """Return level and number of each line's text, (lines,); -1 and NaN where there is none."""
    codes, texts = encoded(column)
    words = texts.to_pylist()
    level, number = np.full(len(file), -1), np.full(len(file), nan)
    for place, one in enumerate(space.factors):
        here = (factor == place) & (codes >= 0)
        used = np.unique(codes[here])
        found = dict(zip(used.tolist(), (_value(one, words[code]) for code in used), strict=True))
        wrong = [code for code, pair in found.items() if pair[0] < 0]
        kind = f"a number or one of {', '.join(one.levels)}" if one.is_numeric else ", ".join(one.levels)
        file.refuse(
            here & np.isin(codes, wrong), f"values that {one.name} cannot have",
            why=f"{one.name} is {kind}", fix="correct or delete the lines",
        )  # fmt: skip
        if len(used):
            at = np.searchsorted(used, codes[here])
            pairs = np.array([found[code] for code in used.tolist()], np.float64)[at]  # (here, 2)
            level[here], number[here] = pairs[:, 0].astype(np.int64), pairs[:, 1]
    return level, number


def _value(factor: Factor, word: str) -> tuple[int, float]:
    """Return the level and the number that a text means; level -1 if it means nothing."""
    if factor.is_numeric:  # a level that is named like a number is not meant: numbers are what it is made of
        try:
            number = float(word)
        except ValueError:
            number = nan
        if isfinite(number):
            return factor.level_of(number), number
    return (factor.levels.index(word) if word in factor.levels else -1), nan


def _places(file: _File, table: pa.Table) -> tuple[Integers, Integers]:
    """Return pairs of a row and a line that corrects it, (pairs,)."""
    by_path = _mask(file.path.is_valid())
    row_of = _matched(table["path"], file.path)
    named = np.array([rows[0] if len(rows) else -1 for rows in row_of], np.int64)  # (different paths,)
    codes, _ = encoded(file.path)
    at = np.append(named, -1)[codes]  # (lines,), -1 where there is no path
    file.refuse(
        by_path & (at < 0), "photos that are not there", why="the manifest has no such path",
        fix="correct the paths, which are relative to the root, or delete the lines",
    )  # fmt: skip
    both = np.flatnonzero(by_path & _mask(file.person.is_valid()))
    people = table["person_id"].take(pa.array(at[both]))
    agrees = pc.fill_null(pc.equal(people, file.person.take(pa.array(both))), False)
    file.refuse(
        both[~_mask(agrees)], "the person is not the one of the photo",
        why="if both are given, they must agree", fix="correct one of them, or leave `person_id` empty",
    )  # fmt: skip
    rows_of = _matched(table["person_id"], file.person)
    who, _ = encoded(file.person)
    alone = np.flatnonzero(~by_path)
    counts = np.array([len(rows_of[code]) for code in who[alone]], np.int64)
    file.refuse(
        alone[counts == 0], "people who are not there", why="the manifest has no such person_id",
        fix="correct or delete the lines",
    )  # fmt: skip
    of_people = [rows_of[code] for code in who[alone]]
    lines = np.flatnonzero(by_path)
    return (
        np.concatenate([at[lines], *of_people]).astype(np.int64),
        np.concatenate([lines, np.repeat(alone, counts)]).astype(np.int64),
    )


def _matched(column: pa.ChunkedArray, wanted: pa.ChunkedArray) -> list[Integers]:
    """Return the rows of `column` that hold each different text of `wanted`, in order.

    Only what is wanted is put into a hash table: it is small where the column has millions of rows.
    """
    _, texts = encoded(wanted)
    place = pc.fill_null(pc.index_in(column, value_set=texts, skip_nulls=True), -1).to_numpy()
    rows = np.flatnonzero(place >= 0)
    rows = rows[np.argsort(place[rows], kind="stable")]
    ends = np.cumsum(np.bincount(place[rows], minlength=len(texts)))
    return np.split(rows, ends[:-1]) if len(texts) else []


def _cells(
    file: _File, row: Integers, line: Integers, factor: Integers, level: Integers, number: NDArray[np.float64]
) -> Cells:
    """Return each cell once: a path's line overrides a person's, and equals must agree."""
    is_person = _mask(file.path.is_null())[line]
    order = np.lexsort((line, is_person, factor[line], row))
    row, line, is_person = row[order], line[order], is_person[order]
    cells = Cells(row, factor[line], level[line], number[line], line)
    begins = np.ones(len(row), np.bool_)
    begins[1:] = (np.diff(cells.row) != 0) | (np.diff(cells.factor) != 0)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(row)), 0))
    rival = ~begins & (is_person == is_person[first])
    same = (cells.level == cells.level[first]) & (
        (cells.number == cells.number[first]) | (np.isnan(cells.number) & np.isnan(cells.number[first]))
    )
    clash = np.flatnonzero(rival & ~same)
    file.refuse(
        np.unique(np.concatenate([line[first[clash]], line[clash]])),
        "two values for the same photo", why="nothing says which of them is right",
        fix="delete one of the lines",
    )  # fmt: skip
    # Lines that agree are all kept until what each expects is compared with what there is.
    return cells.take(np.flatnonzero(begins | rival))


def _check_expected(file: _File, cells: Cells, now: LabelledTable, factor: Integers) -> None:
    """Refuse lines whose `from` is not what there is: they were written for other labels."""
    level, number = _parsed(file, file.expected, factor, now.space)
    given = level[cells.line] >= 0
    now_level, now_number = now.at(cells)
    wants_number = ~np.isnan(number[cells.line])
    fits = np.where(wants_number, number[cells.line] == now_number, level[cells.line] == now_level)
    file.refuse(
        np.unique(cells.line[given & ~fits]), "`from` is not what there is now",
        why="the labels have changed since these corrections were written",
        fix="look at these photos again, then correct `from` or delete the lines",
    )  # fmt: skip


def _codes(column: pa.ChunkedArray, names: list[str]) -> Integers:
    found = pc.fill_null(pc.index_in(column, value_set=pa.array(names, pa.string())), -1)
    return np.asarray(found.to_numpy(), np.int64)


def _mask(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(column.to_numpy(), np.bool_)
