"""What a person is asked: doubted labels, a screen for all that concern one person."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc

from maskkit.artifacts.checks import factor_levels
from maskkit.artifacts.columns import Ints
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.findings import KINDS, kind_of, rows_by_person
from maskkit.errors import MaskkitError
from maskkit.labelling.correction_lines import (
    Correction,
    Value,
    check_lines,
    parsed,
    read_lines,
    refuse_lines,
    rows_of_lines,
    value_of,
)
from maskkit.labels import Factor

log = logging.getLogger(__name__)

PROPOSING = [kind for kind in KINDS if kind.startswith(("suspect:", "inconsistent:"))]

Key = tuple[bool, str, tuple[int, ...]]  # whether it is about a photo, the factor's name, the rows


@dataclass(frozen=True)
class Question:
    """A label that is doubted: of one photo, or of all photos of a person."""

    path: str | None  # None if all photos of the person are meant
    person: str | None
    factor: Factor
    rows: tuple[int, ...]  # of the manifest
    given: str  # the level or number that there is; empty if there is none
    proposed: str
    kind: str  # of finding, one of KINDS, or whatever the file says
    confidence: str = ""
    evidence: str = ""

    @property
    def key(self) -> Key:
        """By which it is known again, however its person or photo is written."""
        return self.path is not None, self.factor.name, self.rows

    def level_of(self, text: str) -> int:
        """Return the level that a text means, -1 for none."""
        return value_of(self.factor, text)[0]


@dataclass(frozen=True)
class Screen:
    """All photos of a person, or one photo of nobody known, and what is asked about them."""

    title: str  # the person, or the path
    rows: tuple[int, ...]
    questions: tuple[int, ...]  # places in the list of all


def questions_of(manifest: Manifest, lines: Sequence[Correction], source: Source) -> list[Question]:
    """Return what lines of a CSV of corrections propose, each label once, those of a person together.

    Raises:
        MaskkitError: A line means nothing, or the label is not what it says it was.
    """
    check_lines(lines, manifest.space, source)
    parsed({line: line.value for line in lines}, manifest.space, source)
    rows = rows_of_lines(lines, manifest.table, source)
    _refuse_outdated(manifest, lines, rows, source)
    values = Labelled(manifest)
    asked = [_question(values, line, rows[line]) for line in lines]
    return together(manifest, asked)


def flagged_questions(manifest: Manifest) -> list[Question]:
    """Return what the flags of `audit -o` propose.

    Raises:
        MaskkitError: The manifest has no flags.
    """
    if not manifest.has("flags"):
        raise MaskkitError(
            f"{manifest.name} has no findings",
            why="they are in the CSV of `maskkit audit --corrections`, or in the column `flags` of what "
            "`maskkit audit -o` writes",
            fix="give both: maskkit review folds.parquet fixes.csv -o reviewed.csv",
        )
    return together(manifest, list(_of_flags(manifest)))


def screens_of(manifest: Manifest, questions: Sequence[Question]) -> list[Screen]:
    """Return a screen per person, or per photo of nobody known, in the order of the questions."""
    rows_of = rows_by_person(manifest)
    asked: dict[str | int, list[int]] = {}
    for number, question in enumerate(questions):
        asked.setdefault(_whose(question), []).append(number)
    screens = []
    for whose, numbers in asked.items():
        rows = tuple(rows_of(whose).tolist()) if isinstance(whose, str) else (whose,)
        title = whose if isinstance(whose, str) else manifest.paths[whose]
        screens.append(Screen(title, rows, tuple(numbers)))
    return screens


def _whose(question: Question) -> str | int:
    return question.rows[0] if question.person is None else question.person


class Labelled:
    """The value of each factor in each row, as a person reads it, and what it means."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.space = manifest, manifest.space
        names = [factor.name for factor in self.space.factors]
        table = manifest.table.select(names)
        self._levels: Ints = factor_levels(table, manifest.labels, self.space, name=manifest.name)
        self._numbers = {
            factor.name: manifest.numbers(factor.name) for factor in self.space.factors if factor.is_numeric
        }

    def text(self, row: int, factor: Factor) -> str:
        """Return a number as it is written, else a level; an empty text if it is unknown."""
        level, number = self.value(row, factor)
        if number is not None:
            return f"{number:.15g}"
        return factor.levels[level] if level >= 0 else ""

    def value(self, row: int, factor: Factor) -> Value:
        """Return the level, -1 if unknown, and the number that it is cut from, if known."""
        number = self._numbers[factor.name][row] if factor.name in self._numbers else np.nan
        level = int(self._levels[row, self.space.factors.index(factor)])
        return level, None if np.isnan(number) else float(number)

    def is_now(self, row: int, factor: Factor, text: str) -> bool:
        """Whether a row has what a text means: a number if it is one, else a level."""
        now, wanted = self.value(row, factor), value_of(factor, text)
        return now == wanted if wanted[1] is not None else now[0] == wanted[0]


def _refuse_outdated(
    manifest: Manifest, lines: Sequence[Correction], rows: dict[Correction, list[int]], source: Source
) -> None:
    """Raise if labels are not what lines say they were; of a photo, its own line."""
    old = {line: line.expected for line in lines if line.expected is not None}
    parsed(old, manifest.space, source)
    values = Labelled(manifest)
    factors = {factor.name: factor for factor in manifest.space.factors}
    own = {(row, line.column) for line in lines if line.path is not None for row in rows[line]}
    unlike = [
        line for line, text in old.items()
        if any(
            not values.is_now(row, factors[str(line.column)], text)
            for row in rows[line] if line.path is not None or (row, line.column) not in own
        )
    ]  # fmt: skip
    refuse_lines(
        source, unlike, "`from` is not what there is now",
        why=f"the labels of {manifest.name} are not those that were audited",
        fix="give the manifest that was audited, or audit this one again",
    )  # fmt: skip


def _question(values: Labelled, line: Correction, rows: list[int]) -> Question:
    table = values.manifest.table
    factor = next(one for one in values.space.factors if one.name == line.column)
    path = None if line.path is None else table["path"][rows[0]].as_py()
    cells = {name: text or "" for name, text in line.cells.items()}
    return Question(
        path, table["person_id"][rows[0]].as_py(), factor, tuple(rows), values.text(rows[0], factor),
        cells.get("proposed") or str(line.value), cells.get("kind", ""), cells.get("confidence", ""),
        cells.get("evidence", ""),
    )  # fmt: skip


def _of_flags(manifest: Manifest) -> Iterator[Question]:
    values, rows_of = Labelled(manifest), rows_by_person(manifest)
    factors = {factor.name: factor for factor in manifest.space.factors}
    has_flags = pc.greater(pc.fill_null(pc.list_value_length(manifest.table["flags"]), 0), 0).to_numpy()
    for row in np.flatnonzero(has_flags).tolist():
        person = manifest.table["person_id"][row].as_py()
        for flag in manifest.table["flags"][row].as_py():
            kind = kind_of(flag)
            column, _, value = flag.removeprefix(f"{kind}:").partition("=")
            if column not in factors or value_of(factors[column], value)[0] < 0 or kind not in PROPOSING:
                continue
            is_of_all = kind.endswith(":person") and person is not None
            rows = tuple(rows_of(person).tolist()) if is_of_all else (row,)
            yield Question(
                None if is_of_all else manifest.paths[row], person, factors[column], rows,
                values.text(rows[0], factors[column]), value, kind, evidence=KINDS[kind],
            )  # fmt: skip


def together(manifest: Manifest, questions: Iterable[Question]) -> list[Question]:
    """Return each label once, with all that is said of it, and those of a person one after the other."""
    once: dict[Key, Question] = {}
    for one in questions:
        first = once.setdefault(one.key, one)
        if first is not one and one.evidence and one.evidence not in first.evidence:
            says = one.evidence if one.proposed == first.proposed else f"{one.proposed}: {one.evidence}"
            once[one.key] = replace(first, evidence="; ".join(filter(None, (first.evidence, says))))
    screens = screens_of(manifest, found := list(once.values()))
    return [found[number] for screen in screens for number in screen.questions]


def lines_of(source: Source) -> list[Correction]:
    """Return the lines of a file that propose a value; raise if none does.

    What `audit` prints, as TSV, has findings of other kinds too: those have neither column nor value.
    """
    every = read_lines(source)
    lines = [line for line in every if line.column is not None or line.value is not None]
    if len(lines) < len(every):
        log.info("%d findings propose no value, and are passed over", len(every) - len(lines))
    if not lines:
        raise MaskkitError(
            f"{source.title} proposes no label",
            why="`maskkit audit` has found no label to doubt, or all lines were deleted",
            fix="there is nothing to review; `maskkit audit --sureness 0.8` doubts more",
        )
    return lines
