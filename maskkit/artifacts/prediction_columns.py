"""The columns of predictions beside their probabilities, for people, and a CSV of both as it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import is_set_text
from maskkit.artifacts.columns import Integers
from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError, examples
from maskkit.labels import MOST_CLASSES

IDS = ("path", "ImageID")
ANSWER = "ans"
# For people, beside the probabilities that are read: the class with the highest, and how high that is.
ANSWERED = ("answer", "confidence")
DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")


class CsvColumns(NamedTuple):
    """What a CSV of predictions holds, as `Predictions` has it."""

    path: pa.ChunkedArray  # of photos, string (rows,)
    answer: Integers  # the class answered, (rows,)
    probs: NDArray[np.float32] | None = None  # (rows, classes); None of a submission
    classes: tuple[str, ...] | None = None  # names in order; None of a submission


def answer_columns(
    answer: Integers, probs: NDArray[np.float32], classes: tuple[str, ...]
) -> dict[str, pa.Array]:
    """Return the columns of ANSWERED, in which answers are names; none if a class is called like them."""
    if not set(ANSWERED).isdisjoint(classes):
        return {}
    names = pa.DictionaryArray.from_arrays(np.asarray(answer, np.int16), list(classes))
    confidence = pa.array(probs[np.arange(len(answer)), answer])
    return dict(zip(ANSWERED, (names, confidence), strict=True))


def read_csv(source: Source) -> CsvColumns:
    """Read a submission, or a CSV of probabilities.

    Raises:
        MaskkitError: It is neither, or answers with another class than the most probable.
    """
    text = CsvText.of(source)
    table = text.typed((*IDS, ANSWERED[0]))
    key = next((name for name in IDS if name in table.column_names), None)
    others = [
        name
        for name in table.column_names
        if name not in (key, "fold") and not is_set_text(name, table[name])
    ]
    names, table = _named_answers(table, others)
    if names is not None:
        others = [name for name in others if name not in ANSWERED]
    if key is None or not others:
        index = "; the ids may be in its first column, which has no name" if text.has_nameless else ""
        raise _unreadable(source, f"its columns are {examples(table.column_names, most=6)}{index}")
    if not len(table):
        raise _unreadable(source, "it has no rows")
    numbers = table.select(others)
    for name in others:
        _check_numbers(name, numbers[name], source)
    if others == [ANSWER]:
        return CsvColumns(table[key], _answers(numbers[ANSWER], source))
    if len(others) == 1:
        raise _unreadable(source, f"beside {key!r} it has only {others[0]!r}, which is not {ANSWER!r}")
    with np.errstate(over="ignore"):  # too large a number is none of a probability anyway
        probs = np.stack([numbers[name].to_numpy().astype(np.float32) for name in others], axis=1)
    found = CsvColumns(table[key], probs.argmax(1), probs, tuple(others))
    if names is not None:
        _check_answers(found, names, source)
    return found


def _named_answers(table: pa.Table, others: Sequence[str]) -> tuple[pa.ChunkedArray | None, pa.Table]:
    """Return the answers by their names, if the columns of ANSWERED are there for people; and the table.

    They are not where classes are called so: then there are numbers in them, as in those of other classes.
    """
    name = ANSWERED[0]
    if name not in others:
        return None, table
    import pyarrow.compute as pc  # which a submission needs not

    classes = pa.array([one for one in others if one not in ANSWERED], pa.string())
    if pc.all(pc.is_in(table[name], value_set=classes), min_count=0).as_py():
        return table[name], table
    with suppress(pa.ArrowInvalid):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].cast(pa.float64()))
    return None, table


def _check_answers(found: CsvColumns, names: pa.ChunkedArray, source: Source) -> None:
    """Raise unless each name is that of a class that no other is more probable than."""
    import pyarrow.compute as pc

    assert found.probs is not None
    assert found.classes is not None
    said = pc.index_in(names, value_set=pa.array(found.classes, pa.string())).to_numpy()
    wrong = np.flatnonzero(found.probs[np.arange(len(found.answer)), said] < found.probs.max(1))
    if len(wrong):
        row = int(wrong[0])
        raise MaskkitError(
            f"{source.title} answers {found.path[row]} with {names[row]}, and holds "
            f"{found.classes[found.answer[row]]} for more probable",
            why=f"the probabilities are what is read; so are {len(wrong)} answers that were changed"
            if len(wrong) > 1
            else "the probabilities are what is read, not the answer beside them",
            fix=f"change the probabilities too, or delete the columns {' and '.join(ANSWERED)}",
        )


def _check_numbers(name: str, column: pa.ChunkedArray, source: Source) -> None:
    if column.null_count:
        raise _unreadable(source, f"column {name!r} has {column.null_count} empty cells")
    if not pa.types.is_floating(column.type) and not pa.types.is_integer(column.type):
        word = str(column[0])
        comma = ", with a comma where numbers have a point" if DECIMAL_COMMA.fullmatch(word) else ""
        raise _unreadable(source, f"column {name!r} holds {column.type}, such as {word}{comma}")


def _answers(column: pa.ChunkedArray, source: Source) -> NDArray[np.int16]:
    answer = column.to_numpy()
    if pa.types.is_floating(column.type):  # pandas writes 15.0 where it had missing values once
        broken = np.flatnonzero(answer != np.round(answer))
        if len(broken):
            raise _unreadable(source, f"{ANSWER!r} holds {answer[broken[0]]}, and is the number of a class")
    if answer.min() < 0 or answer.max() > MOST_CLASSES:
        raise _unreadable(source, f"{ANSWER!r} runs from {answer.min()} to {answer.max()}")
    return np.asarray(answer, np.int16)  # a quarter of the memory, which five files of it add up to


def _unreadable(source: Source, why: str) -> MaskkitError:
    return MaskkitError(
        f"{source.title} is not a table of predictions",
        why=why,
        fix=f"give Parquet from `maskkit predict`, a CSV of ImageID,{ANSWER}, or a CSV of path and one "
        "probability column per class",
    )
