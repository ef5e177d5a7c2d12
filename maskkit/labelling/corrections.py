"""Corrections of labels, as `audit` writes them and a person edits them: a CSV of one cell per line.

`path` or `person_id` says which photos, `column` which factor, `value` what it is. `from`, if it is there,
says what it was when the correction was written. Other columns are for people.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import LEVEL, ORIGINS, factor_levels
from maskkit.artifacts.columns import Ints, encoded
from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.artifacts.id_matching import places_of
from maskkit.errors import MaskkitError, examples
from maskkit.labels import AGE, OLDEST, Factor, LabelSpace
from maskkit.sources.manifest_columns import levels, numbers, replaced, short_paths
from maskkit.texts import number_of

log = logging.getLogger(__name__)

Value = tuple[int, float | None]  # a level, -1 if unknown, and the number that it is cut from, if known
Cell = tuple[int, int]  # a row, and the place of a factor in the label space


@dataclass(frozen=True)
class Correction:
    """A line of the file, counted from 0; None where a cell is empty."""

    number: int
    path: str | None
    person: str | None
    column: str | None
    value: str | None
    expected: str | None

    def __str__(self) -> str:
        return f"{self.path or f'person {self.person}'}, {self.column}, {self.value}"


def corrected(table: pa.Table, space: LabelSpace, source: Source) -> pa.Table:
    """Return the table with its factors, `label`, `target` and `origin` as the corrections say.

    A line for a path overrides one for a person. A level of a numeric factor makes the number unknown,
    unless the number is in that level already. What changes nothing leaves a row as it is. The table is that
    of a manifest that is being made: `path`, `person_id`, each factor, `label`, ...

    Raises:
        MaskkitError: A line names no photo, factor or value, contradicts another, or expects another value
            than there is.
    """
    lines = _read(source)
    _check(lines, space, source)
    new = _parsed({line: line.value for line in lines}, space, source)
    old = _parsed({line: line.expected for line in lines if line.expected is not None}, space, source)
    cells = _cells(_rows(lines, table, source), new, space, source)
    label = pc.fill_null(table["label"], -1).to_numpy().astype(np.int64)
    rows = np.unique(np.array([row for row, _ in cells], np.int64))
    now = _values(table, label, rows, space)  # of each of the rows, a value per factor
    unlike = {
        line for cell, same in cells.items() for line in same if line in old and not _is(now[cell], old[line])
    }
    _refuse(
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
    _refuse(
        source, {line for cell in lost for line in cells[cell]},
        "a level is given where the class is not known",
        why="a level of a number is kept in the class alone, which needs all factors",
        fix="give the number, or correct the other factors of these photos too",
    )  # fmt: skip
    return _changed(table, space, changed, rows, label)


def _read(source: Source) -> list[Correction]:
    table = CsvText.of(source).texts()
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

    columns = [short_paths(cells("path")), *map(cells, ("person_id", "column", "value", "from"))]
    texts = zip(*(column.to_pylist() for column in columns), strict=True)
    return [Correction(number, *line) for number, line in enumerate(texts)]


def _refuse(source: Source, bad: Iterable[Correction], what: str, *, why: str, fix: str) -> None:
    """Raise if there are bad corrections, naming the lines that they begin in."""
    bad = sorted(bad, key=lambda line: line.number)
    if bad:
        begins = CsvText.of(source).beginnings()
        named = examples(f"line {begins[line.number]} ({line})" for line in bad)
        raise MaskkitError(f"{source.title}: {what}: {named}", why=why, fix=fix)


def _check(lines: list[Correction], space: LabelSpace, source: Source) -> None:
    names = [factor.name for factor in space.factors]
    _refuse(
        source, (line for line in lines if line.path is None and line.person is None), "no photo is named",
        why="`path` or `person_id` says which photos are meant",
        fix="fill one of them in, or delete the lines",
    )  # fmt: skip
    _refuse(
        source, (line for line in lines if line.column not in names), "these columns cannot be corrected",
        why=f"`column` is one of {', '.join(names)}", fix="correct or delete the lines",
    )  # fmt: skip
    _refuse(
        source, (line for line in lines if line.value is None), "the value is empty",
        why="it is what the photo's label becomes", fix="fill it in, or delete the lines",
    )  # fmt: skip


def _parsed(
    words: Mapping[Correction, str | None], space: LabelSpace, source: Source
) -> dict[Correction, Value]:
    """Return what the word of each line means."""
    found: dict[Correction, Value] = {}
    for factor in space.factors:
        own = {line: _value(factor, str(word)) for line, word in words.items() if line.column == factor.name}
        kind = ", ".join(factor.levels)
        number = f"a number from 0 to {OLDEST}" if factor.name == AGE else "a number"
        _refuse(
            source, (line for line, (level, _) in own.items() if level < 0),
            f"values that {factor.name} cannot have",
            why=f"{factor.name} is {f'{number} or one of {kind}' if factor.is_numeric else kind}",
            fix="correct or delete the lines",
        )  # fmt: skip
        found |= own
    return found


def _value(factor: Factor, word: str) -> Value:
    """Return the level and the number that a text means; level -1 if it means nothing."""
    if factor.is_numeric:  # a level that is named like a number is not meant: numbers are what it is made of
        number = number_of(word)
        if number is not None and not isnan(number):
            return (factor.level_of(number), number) if factor.can_be(number) else (-1, None)
    return (factor.levels.index(word) if word in factor.levels else -1), None


def _is(now: Value, wanted: Value) -> bool:
    """Whether a cell has a value: the number if one is wanted, else a number of the level, or the level."""
    return now == wanted if wanted[1] is not None else now[0] == wanted[0]


def _rows(lines: list[Correction], table: pa.Table, source: Source) -> dict[Correction, list[int]]:
    """Return the rows that each line corrects."""
    paths = {line.path for line in lines if line.path is not None}
    people = {line.person for line in lines if line.person is not None}
    of_path = _matched(table["path"], paths, names=(source.title, "the table"))
    of_person = _matched(table["person_id"], people, names=(source.title, "the table"))
    _refuse(
        source, (line for line in lines if line.path is not None and not of_path[line.path]),
        "photos that are not there", why="the manifest has no such path",
        fix="correct the paths, which are relative to the root, or delete the lines",
    )  # fmt: skip
    both = (line for line in lines if line.path is not None and line.person is not None)
    _refuse(
        source,
        (line for line in both if of_path[str(line.path)][0] not in of_person[str(line.person)]),
        "the person is not the one of the photo",
        why="if both are given, they must agree", fix="correct one of them, or leave `person_id` empty",
    )  # fmt: skip
    _refuse(
        source, (line for line in lines if line.path is None and not of_person[str(line.person)]),
        "people who are not there", why="the manifest has no such person_id",
        fix="correct or delete the lines",
    )  # fmt: skip
    return {
        line: of_person[str(line.person)] if line.path is None else of_path[line.path][:1] for line in lines
    }


def _matched(column: pa.ChunkedArray, wanted: set[str], *, names: tuple[str, str]) -> dict[str, list[int]]:
    """Return the rows that hold each text, or the one text that is the same but for how it is written."""
    found = _rows_of(column, wanted)
    lacking = pa.array([text for text, rows in found.items() if not rows], pa.string())
    if len(lacking):
        others = pc.drop_null(pc.unique(column))
        places = places_of(lacking, others, names=names).tolist()
        both = zip(lacking.to_pylist(), places, strict=True)
        meant = {others[place].as_py(): text for text, place in both if place >= 0}
        found |= {meant[other]: rows for other, rows in _rows_of(column, set(meant)).items()}
    return found


def _rows_of(column: pa.ChunkedArray, wanted: set[str]) -> dict[str, list[int]]:
    """Return the rows that hold each text.

    Only what is wanted is put into a hash table: it is small where the column has millions of rows.
    """
    texts = sorted(wanted)
    found: dict[str, list[int]] = {text: [] for text in texts}
    place = pc.fill_null(pc.index_in(column, value_set=pa.array(texts, pa.string())), -1).to_numpy()
    for row in np.flatnonzero(place >= 0).tolist():
        found[texts[place[row]]].append(row)
    return found


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
    _refuse(
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
