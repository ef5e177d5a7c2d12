"""Doubted labels as tasks of Label Studio, https://labelstud.io, and back from what people annotated there.

A task is a person, or a photo, with a choice per factor that is doubted; what is proposed is its prediction.
The formats are those of https://labelstud.io/guide/tasks and https://labelstud.io/guide/export (JSON).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import msgspec
from msgspec import Meta

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError, examples
from maskkit.labels import Factor
from maskkit.reviewing.desk import Desk
from maskkit.reviewing.questions import Question
from maskkit.typed_json import decoded

log = logging.getLogger(__name__)

LOCAL_FILES = "/data/local-files/?d="  # what Label Studio serves under its document root
SHOWN = "photos"  # the name of what is looked at
Task = tuple[str, str]  # path, or an empty text and person


class StoredValue(msgspec.Struct):
    """The value of a result, of choices."""

    choices: list[str] = []


class StoredResult(msgspec.Struct):
    """What was chosen for one factor."""

    from_name: str = ""
    type: str = ""
    value: StoredValue = msgspec.field(default_factory=StoredValue)


class StoredAnnotation(msgspec.Struct):
    """What one person has made of a task."""

    result: Annotated[list[StoredResult], Meta(max_length=1000)]
    was_cancelled: bool = False


class StoredTaskData(msgspec.Struct):
    """By what we know a task again."""

    path: str = ""
    person_id: str = ""


class StoredTask(msgspec.Struct):
    """A task of an export."""

    data: StoredTaskData
    annotations: list[StoredAnnotation]


def tasks(desk: Desk, *, prefix: str = LOCAL_FILES) -> bytes:
    """Return what Label Studio imports as JSON; a photo's address is the prefix and its path."""
    found = [
        _task(desk, [desk.questions[number] for number in numbers], prefix)
        for numbers in _by_task(desk.questions).values()
    ]
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def interface(questions: Sequence[Question]) -> bytes:
    """Return the labeling interface that the tasks need, as XML."""
    factors = {one.factor.name: one.factor for one in questions}
    lines = [
        "<View>",
        '  <Header value="$title"/>',
        '  <Text name="evidence" value="$evidence"/>',
        f'  <Image name="{SHOWN}" valueList="${SHOWN}"/>',
        *(line for factor in factors.values() for line in _choices(factor)),
        "</View>",
    ]
    return ("\n".join(lines) + "\n").encode()


def annotated_values(questions: Sequence[Question], source: Source) -> dict[int, str]:
    """Return what people chose, by the number of the question.

    A task that nobody has annotated, or that was skipped, decides nothing. Neither does one on which two
    people disagree: those are warned of, as are tasks that are not of this review.

    Raises:
        MaskkitError: It is no export in JSON, or a choice is none of the factor.
    """
    found = decoded(source.data.to_pybytes(), list[StoredTask], partial(_no_export, source.title))
    numbers = _by_task(questions)
    values: dict[int, set[str]] = {}
    foreign = []
    for task in found:
        name = (task.data.path, "" if task.data.path else task.data.person_id)
        if name not in numbers:
            foreign.append(f"{name[0] or name[1]!r:.60}")
        for annotation in task.annotations:
            for number, value in _chosen(questions, numbers.get(name, []), annotation, source.title):
                values.setdefault(number, set()).add(value)
    torn = [number for number, chosen in values.items() if len(chosen) > 1]
    if torn:
        named = examples(_named(questions[number]) for number in torn)
        log.warning("people disagree on %d labels, which stay undecided: %s", len(torn), named)
    if foreign:
        log.warning("%d tasks are not of this review: %s", len(foreign), examples(foreign))
    return {number: chosen.pop() for number, chosen in sorted(values.items()) if number not in torn}


def _by_task(questions: Sequence[Question]) -> dict[Task, list[int]]:
    found: dict[Task, list[int]] = {}
    for number, one in enumerate(questions):
        found.setdefault((one.path or "", "" if one.path else one.person or ""), []).append(number)
    return found


def _task(desk: Desk, questions: list[Question], prefix: str) -> dict[str, Any]:
    first = questions[0]
    evidence = [
        f"{one.factor.name}: {one.given or 'not known'} or {one.proposed}? {one.evidence}".strip()
        for one in questions
    ]
    results = [
        {
            "id": one.factor.name, "from_name": one.factor.name, "to_name": SHOWN, "type": "choices",
            "value": {"choices": [one.factor.levels[one.level_of(one.proposed)]]},
        }
        for one in questions
    ]  # fmt: skip
    return {
        "data": {
            "path": first.path or "",
            "person_id": first.person or "",
            "title": first.path or f"Person {first.person}",
            "evidence": "\n".join(evidence),
            SHOWN: [prefix + quote(desk.manifest.paths[row]) for row in first.rows],
        },
        "predictions": [{"model_version": "maskkit", "result": results}],
    }


def _choices(factor: Factor) -> Iterator[str]:
    yield f'  <Choices name={quoteattr(factor.name)} toName="{SHOWN}" choice="single" showInline="true">'
    for level in factor.levels:
        yield f"    <Choice value={quoteattr(level)}/>"
    yield "  </Choices>"


def _chosen(
    questions: Sequence[Question], numbers: list[int], annotation: StoredAnnotation, title: str
) -> Iterator[tuple[int, str]]:
    """Yield what one person chose: what there is or is proposed, where the level is that of it."""
    if annotation.was_cancelled:
        return
    chosen = {one.from_name: one.value.choices[0] for one in annotation.result if one.value.choices}
    for number in numbers:
        question = questions[number]
        level = chosen.get(question.factor.name)
        if level is None:
            continue
        if level not in question.factor.levels:
            raise MaskkitError(
                f"{title}: {_named(question)} is {level!r:.60}",
                why=f"its levels are {', '.join(question.factor.levels)}",
                fix="export from the project whose labeling interface `maskkit review --label-studio` made",
            )
        place = question.factor.levels.index(level)
        known = filter(None, (question.given, question.proposed))
        yield number, next((text for text in known if question.level_of(text) == place), level)


def _named(question: Question) -> str:
    return f"{question.factor.name} of {question.path or question.person}"


def _no_export(title: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"{title} is no export of Label Studio",
        why=why,
        fix="export the project as JSON: not JSON-MIN, which leaves out who has annotated what",
    )
