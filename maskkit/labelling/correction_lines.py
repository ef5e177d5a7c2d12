"""The lines of a CSV of corrections: each is one value, of one photo or of all photos of a person.

`path` or `person_id` says which photos, `column` which factor, `value` what it is. `from`, if it is there,
says what it was when the line was written, and `reviewed` what a person has decided: one of WORDS, of which
STRUCK leaves the label as it was. Other columns are for people.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.artifacts.id_matching import places_of
from maskkit.errors import MaskkitError, examples
from maskkit.labels import AGE, OLDEST, Factor, LabelSpace
from maskkit.sources.manifest_columns import short_paths
from maskkit.texts import number_of

Value = tuple[int, float | None]  # a level, -1 if unknown, and the number that it is cut from, if known

CONFIRMED, CHANGED, STRUCK = "confirmed", "changed", "struck"
WORDS = (CONFIRMED, CHANGED, STRUCK)
MARK = "\ufeff"  # by which a spreadsheet knows UTF-8
QUOTED = re.compile(r'[",;\t\r\n]|^\s|\s$')


@dataclass(frozen=True)
class Correction:
    """A line of the file, counted from 0; None where a cell is empty."""

    number: int
    path: str | None
    person: str | None
    column: str | None
    value: str | None
    expected: str | None
    reviewed: str | None
    cells: Mapping[str, str | None] = field(compare=False)  # all, as they are written

    def __str__(self) -> str:
        return f"{self.path or f'person {self.person}'}, {self.column}, {self.value}"

    @property
    def outcome(self) -> Correction:
        """The line as labels take it: what is struck stays as it was."""
        return replace(self, value=self.expected) if self.reviewed == STRUCK else self


def read_lines(source: Source) -> list[Correction]:
    """Return the lines of a CSV, some of whose cells may mean nothing.

    Raises:
        MaskkitError: It is no CSV, lacks a column, or `reviewed` holds another word.
    """
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

    columns = [short_paths(cells("path")), *map(cells, ("person_id", "column", "value", "from", "reviewed"))]
    texts = zip(*(column.to_pylist() for column in columns), table.to_pylist(), strict=True)
    lines = [Correction(number, *line) for number, line in enumerate(texts)]
    refuse_lines(
        source, (line for line in lines if line.reviewed not in (None, *WORDS)),
        "`reviewed` holds other words",
        why=f"it is one of {', '.join(WORDS)}, or empty for a line that nobody has reviewed",
        fix="correct the words; a line that is not to be applied is struck, or deleted",
    )  # fmt: skip
    return lines


def review_counts(source: Source) -> dict[str, int]:
    """Return how many lines a person has confirmed, changed and struck; empty if nothing was reviewed."""
    found = Counter(line.reviewed for line in read_lines(source))
    return {word: found[word] for word in WORDS if found[word]}


def to_corrections_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return lines as a CSV that a spreadsheet opens, of which `read_lines` reads the same again.

    With other letters than ASCII it begins with the mark of UTF-8, without which Excel shows other ones.
    """
    lines = (",".join(map(quoted, row)) + "\n" for row in (columns, *rows))
    text = "".join(lines)
    return ("" if text.isascii() else MARK).encode() + text.encode()


def quoted(cell: str) -> str:
    """Return a cell in quotes if it needs them, by the rule that the page in a browser has too."""
    return '"' + cell.replace('"', '""') + '"' if QUOTED.search(cell) else cell


def refuse_lines(source: Source, bad: Iterable[Correction], what: str, *, why: str, fix: str) -> None:
    """Raise if there are bad corrections, naming the lines that they begin in."""
    bad = sorted(bad, key=lambda line: line.number)
    if bad:
        begins = CsvText.of(source).beginnings()
        named = examples(f"line {begins[line.number]} ({line})" for line in bad)
        raise MaskkitError(f"{source.title}: {what}: {named}", why=why, fix=fix)


def check_lines(lines: Iterable[Correction], space: LabelSpace, source: Source) -> None:
    """Raise if a line names no photo, no factor or no value."""
    lines = list(lines)
    names = [factor.name for factor in space.factors]
    refuse_lines(
        source, (line for line in lines if line.path is None and line.person is None), "no photo is named",
        why="`path` or `person_id` says which photos are meant",
        fix="fill one of them in, or delete the lines",
    )  # fmt: skip
    refuse_lines(
        source, (line for line in lines if line.column not in names), "these columns cannot be corrected",
        why=f"`column` is one of {', '.join(names)}", fix="correct or delete the lines",
    )  # fmt: skip
    refuse_lines(
        source, (line for line in lines if line.value is None), "the value is empty",
        why="it is what the photo's label becomes", fix="fill it in, or delete the lines",
    )  # fmt: skip


def parsed(
    words: Mapping[Correction, str | None], space: LabelSpace, source: Source
) -> dict[Correction, Value]:
    """Return what the word of each line means; raise if it means nothing."""
    found: dict[Correction, Value] = {}
    for factor in space.factors:
        own = {
            line: value_of(factor, str(word)) for line, word in words.items() if line.column == factor.name
        }
        refuse_lines(
            source, (line for line, (level, _) in own.items() if level < 0),
            f"values that {factor.name} cannot have",
            why=f"{factor.name} is {values_in_words(factor)}", fix="correct or delete the lines",
        )  # fmt: skip
        found |= own
    return found


def values_in_words(factor: Factor) -> str:
    """Say what a factor can be."""
    kind = ", ".join(factor.levels)
    number = f"a number from 0 to {OLDEST}" if factor.name == AGE else "a number"
    return f"{number} or one of {kind}" if factor.is_numeric else kind


def value_of(factor: Factor, word: str) -> Value:
    """Return the level and the number that a text means; level -1 if it means nothing."""
    if factor.is_numeric:  # a level that is named like a number is not meant: numbers are what it is made of
        number = number_of(word)
        if number is not None and not isnan(number):
            return (factor.level_of(number), number) if factor.can_be(number) else (-1, None)
    return (factor.levels.index(word) if word in factor.levels else -1), None


def rows_of_lines(
    lines: Iterable[Correction], table: pa.Table, source: Source
) -> dict[Correction, list[int]]:
    """Return the rows of a table that each line is about; raise if there are none.

    A photo or person may be written in another way, if only one can be meant: 7 for 007.
    """
    lines = list(lines)
    paths = {line.path for line in lines if line.path is not None}
    people = {line.person for line in lines if line.person is not None}
    of_path = _matched(table["path"], paths, names=(source.title, "the table"))
    of_person = _matched(table["person_id"], people, names=(source.title, "the table"))
    refuse_lines(
        source, (line for line in lines if line.path is not None and not of_path[line.path]),
        "photos that are not there", why="the manifest has no such path",
        fix="correct the paths, which are relative to the root, or delete the lines",
    )  # fmt: skip
    both = (line for line in lines if line.path is not None and line.person is not None)
    refuse_lines(
        source,
        (line for line in both if of_path[str(line.path)][0] not in of_person[str(line.person)]),
        "the person is not the one of the photo",
        why="if both are given, they must agree", fix="correct one of them, or leave `person_id` empty",
    )  # fmt: skip
    refuse_lines(
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
