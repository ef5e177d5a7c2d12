"""What a person has decided, kept in one CSV of corrections that is whole after every decision.

Several windows may decide: each says what it has seen, and a decision on what another window has changed
meanwhile is refused. Another program that changes the file is never overwritten.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.publishing import TakenError, write_whole
from maskkit.errors import MaskkitError
from maskkit.labelling.correction_lines import (
    CHANGED,
    CONFIRMED,
    STRUCK,
    WORDS,
    Correction,
    check_lines,
    parsed,
    rows_of_lines,
    to_corrections_csv,
    value_of,
    values_in_words,
)
from maskkit.reviewing.questions import Question

COLUMNS = (
    "path", "person_id", "column", "value", "from", "reviewed", "proposed", "kind", "confidence", "evidence",
)  # fmt: skip


class ConflictError(Exception):
    """Another window has decided the same meanwhile."""


class Decisions:
    """The values that were decided on, by the number of the question.

    Args:
        questions: All of them.
        path: Where they are kept; None to keep them in memory alone.
        known: sha256 of what is there already and may be replaced, such as what the lines were read from.
    """

    def __init__(self, questions: Sequence[Question], path: Path | None = None, *, known: str = "") -> None:
        self.questions, self.path = questions, path
        self.values: dict[int, str] = {}
        self.revision = 0  # how often anything was decided
        self._known = known
        self._changed = dict.fromkeys(range(len(questions)), 0)  # by which revision each was
        self._before: dict[int, str] = {}  # the value before an earlier round, where it is another than given
        self._others: list[Mapping[str, str]] = []  # lines about what is not asked, as they are
        self._extra: dict[int, Mapping[str, str]] = {}  # cells of columns that are not ours
        self._columns: tuple[str, ...] = COLUMNS
        self._lock = Lock()

    def take(self, manifest: Manifest, lines: Sequence[Correction], source: Source) -> None:
        """Take what lines of an earlier file have decided; those about anything else are kept as they are.

        A line whose value is what there is now comes from an earlier round: it was put into the labels, which
        are doubted again. Then it is asked anew, and still says how the label was at first.

        Raises:
            MaskkitError: A line means nothing.
        """
        check_lines(lines, manifest.space, source)
        parsed({line: line.value for line in lines}, manifest.space, source)
        rows = rows_of_lines(lines, manifest.table, source)
        numbers = {question.key: number for number, question in enumerate(self.questions)}
        names = [name for line in lines[:1] for name in line.cells]
        self._columns = (*COLUMNS, *(name for name in names if name not in COLUMNS))
        for line in lines:
            cells = {name: text or "" for name, text in line.cells.items()}
            number = numbers.get((line.path is not None, str(line.column), tuple(rows[line])))
            if number is None:
                self._others.append(cells)
                continue
            self._extra[number] = {name: text for name, text in cells.items() if name not in COLUMNS}
            question = self.questions[number]
            before = line.expected or ""
            is_applied = line.reviewed != STRUCK and _is_same(question, str(line.value), question.given)
            if is_applied and before and not _is_same(question, before, question.given):
                self._before[number] = before
            else:
                self.values[number] = question.given if line.reviewed == STRUCK else str(line.value)

    def decide(self, number: int, value: str | None, *, seen: int) -> None:
        """Set the value of a question, or with None leave it undecided, and keep that.

        Raises:
            LookupError: There is no such question.
            ConflictError: It has been decided after the revision that was `seen`.
            MaskkitError: It cannot have the value, or the file cannot be written.
        """
        question = self.questions[number]
        if value is not None and value_of(question.factor, value)[0] < 0 and value != question.given:
            raise MaskkitError(
                f"{question.factor.name} cannot be {value!r:.60}",
                why=f"it is {values_in_words(question.factor)}",
                fix="give one of them",
            )
        with self._lock:
            if self._changed[number] > seen:
                raise ConflictError
            values = {**self.values}
            values.pop(number, None)
            if value is not None:
                values[number] = value
            self._write(values)
            self.revision += 1
            self.values, self._changed[number] = values, self.revision

    def decide_all(self, values: Mapping[int, str]) -> None:
        """Set many values at once."""
        with self._lock:
            together = {**self.values, **values}
            self._write(together)
            self.values = together

    @property
    def summary(self) -> str:
        """How many labels were decided, and how."""
        words = Counter(
            word_of(self.questions[number], value, self.before(number))
            for number, value in self.values.items()
        )
        each = ", ".join(f"{words[word]} {word}" for word in WORDS)
        return f"{len(self.values)} of {len(self.questions)} labels are decided: {each}"

    def changes(self, since: int = -1) -> dict[str, Any]:
        """Return the revision, and what was decided after another one: None for what was undone."""
        with self._lock:
            changed = (number for number, revision in self._changed.items() if revision > since)
            return {"revision": self.revision, "decided": {one: self.values.get(one) for one in changed}}

    def save(self) -> None:
        """Write the file as it is."""
        with self._lock:
            self._write(self.values)

    def csv(self, values: Mapping[int, str] | None = None) -> bytes:
        """Return the file: lines about what is not asked first, then the decisions in their order."""
        decided = self.values if values is None else values
        lines = [*self._others, *(self.line(number, decided[number]) for number in sorted(decided))]
        rows = ([line.get(name, "") for name in self._columns] for line in lines)
        return to_corrections_csv(self._columns, rows)

    def line(self, number: int, value: str) -> dict[str, str]:
        """Return the cells of a decision by their columns."""
        question = self.questions[number]
        before = self.before(number)
        cells = (
            question.path or "", question.person or "", question.factor.name, value, before,
            word_of(question, value, before), question.proposed, question.kind, question.confidence,
            question.evidence,
        )  # fmt: skip
        return {**self._extra.get(number, {}), **dict(zip(COLUMNS, cells, strict=True))}

    def before(self, number: int) -> str:
        """Return what a label was before anything was decided."""
        return self._before.get(number, self.questions[number].given)

    def _write(self, values: Mapping[int, str]) -> None:
        if self.path is None:
            return
        data = self.csv(values)
        try:
            write_whole(self.path, data, known=[self._known] if self._known else [])
        except TakenError as error:
            raise MaskkitError(
                f"{self.path} was changed by another program",
                why="it is not as this review has left it, and nothing is overwritten unasked",
                fix=f"{error.fix.partition(';')[0]}; end this review, put both together, and go on with "
                "--resume",
            ) from error
        self._known = hashlib.sha256(data).hexdigest()


def word_of(question: Question, value: str, before: str) -> str:
    """Return how a value came about; the page in a browser has the same rule."""
    if value == before:
        return STRUCK
    return CONFIRMED if value in (question.proposed, question.given) else CHANGED


def _is_same(question: Question, one: str, other: str) -> bool:
    first, second = value_of(question.factor, one), value_of(question.factor, other)
    return first == second if None not in (first[1], second[1]) else first[0] == second[0]
