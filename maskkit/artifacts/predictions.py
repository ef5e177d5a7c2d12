"""Predictions of models for each photo, as Parquet or CSV, told apart by content."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Meta
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import AnswerSets, StoredSets
from maskkit.artifacts.columns import Integers, as_pandas
from maskkit.artifacts.csv_writing import to_csv
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import MOST_INPUTS, Header, damaged_header
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.artifacts.prediction_columns import ANSWER, answer_columns, read_csv
from maskkit.artifacts.probability_checks import check_ids, check_probs
from maskkit.artifacts.publishing import write_whole
from maskkit.artifacts.seen import Seen
from maskkit.artifacts.shard_parts import place_rows, say_if_part
from maskkit.errors import MaskkitError
from maskkit.storage.address import place_of
from maskkit.typed_json import Sha256, fitting

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["parquet", "csv", "submission"]

ADJUSTMENTS = ("consensus", "decision")  # facts of the header, see `predicting.adjustments`


class StoredConsensus(msgspec.Struct):
    """The JSON of how photos of a person agreed."""

    by: str
    factors: list[str]
    people: int
    photos: int


class StoredUse(msgspec.Struct):
    """The JSON of a decision that was applied."""

    method: str
    sha256: Sha256


class StoredPredictionFacts(msgspec.Struct):
    """The JSON of what predictions say beside their label space and history."""

    seen: Annotated[list[dict[str, str]], Meta(max_length=MOST_INPUTS)] = []  # JSON of `Seen`
    leaked: Annotated[int, Meta(ge=0)] = 0
    consensus: StoredConsensus | None = None
    decision: StoredUse | None = None
    sets: StoredSets | None = None
    blend: dict[str, Any] | None = None


@dataclass(frozen=True)
class Predictions:
    """One answer per photo, and the probabilities behind it where they are known."""

    path: pa.ChunkedArray | pa.Array  # of photos, unique, string (rows,)
    answer: Integers  # the class answered, (rows,)
    # Class probabilities, (rows, classes), rows sum to 1; None for a submission.
    probs: NDArray[np.float32] | None = None
    classes: tuple[str, ...] | None = None  # class names in order; None for a submission, which names none
    # Which fold's model predicted it, (rows,); -1 if several did; None if nothing is known.
    fold: Integers | None = None
    # History and, from Parquet, the label space.
    header: Header = field(default_factory=lambda: Header("predictions", None))
    source: Source | None = None
    sets: AnswerSets | None = None  # of each row, as far as they were asked for; a CSV's are not read again
    # Of each row in the whole, (rows,), if this is the part of a shard; not read again, but by `joined`.
    places: Integers | None = None

    @classmethod
    def read(cls, source: Source | Path | str, *, like: Predictions | None = None) -> Predictions:
        """Read predictions in any of their three forms: Parquet, a submission, or a CSV of probabilities.

        If the ids are the same and in the same order as those of `like`, which were read before, they have
        been checked, and are held once for both.

        Raises:
            MaskkitError: They are in none of the forms, list a photo twice, or hold no probabilities.
        """
        source = source if isinstance(source, Source) else Source.open(source)
        is_parquet = source.starts_with(b"PAR1")
        predictions = _from_parquet(source) if is_parquet else cls(*read_csv(source), source=source)
        if like is not None and predictions.path.equals(like.path):
            predictions = replace(predictions, path=like.path)
        else:
            check_ids(predictions.path, source.title)
        if predictions.probs is not None:
            check_probs(predictions.path, predictions.probs, source.title)
        source.let_go()
        return predictions

    def __len__(self) -> int:
        return len(self.answer)

    @property
    def name(self) -> str:
        """The predictions as the user knows them, for error texts."""
        return "the predictions" if self.source is None else self.source.title

    @property
    def trained_on(self) -> list[Seen]:
        """Whom the models behind every row were trained on; empty for out-of-fold predictions."""
        refuse = partial(damaged_header, self.name)
        return [
            Seen.from_json(item, refuse, at=f"seen[{place}]")
            for place, item in enumerate(self.header.facts.get("seen", []))
        ]

    @property
    def leaked(self) -> int:
        """How many rows were predicted, on demand, by models trained on their people."""
        return int(self.header.facts.get("leaked", 0))

    @property
    def left_out(self) -> int:
        """How many photos are not answered, on demand, because their sets are large."""
        return int(self.header.facts.get("sets", {}).get("left_out", 0))

    @property
    def adjusted(self) -> dict[str, Any]:
        """How answers were changed after inference: `consensus`, `decision`; empty if not."""
        facts = self.header.facts
        return {name: facts[name] for name in ADJUSTMENTS if name in facts}

    def take(self, rows: NDArray[np.int64]) -> Predictions:
        """Return some of the rows."""
        return replace(
            self,
            path=self.path.take(pa.array(rows)),
            answer=self.answer[rows],
            probs=None if self.probs is None else self.probs[rows],
            fold=None if self.fold is None else self.fold[rows],
            sets=None if self.sets is None else self.sets.take(rows),
            places=None if self.places is None else self.places[rows],
            source=None,
        )

    def need_probs(self, why: str) -> NDArray[np.float32]:
        """Return the probabilities, or raise MaskkitError that says why they are needed."""
        if self.probs is None:
            raise MaskkitError(
                f"{self.name} has answers only",
                why=f"{why}, and a submission has no probabilities",
                fix="give Parquet from `maskkit predict`, or a CSV with a probability column per class",
            )
        return self.probs

    def as_input(self) -> Source:
        """Return the bytes that a next stage records as its input."""
        return self.source or Source("-", self.encode("parquet" if self.classes else "submission"))

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per photo: its path, the answer and, if known, the probability of each class."""
        names = self.classes or ()
        if self.probs is None:
            answered = {"answer": pa.array([names[one] for one in self.answer] if names else self.answer)}
        else:
            answered = answer_columns(self.answer, self.probs, names)
        probs = {} if self.probs is None else dict(zip(names, map(pa.array, self.probs.T), strict=True))
        fold = {} if self.fold is None else {"fold": pa.array(self.fold, mask=np.asarray(self.fold) < 0)}
        return as_pandas(pa.table({"path": self.path, **answered, **probs, **fold}))

    def __repr__(self) -> str:
        what = "answers alone" if self.classes is None else f"{len(self.classes)} classes"
        name = "" if self.source is None else f" {self.name}"
        return f"<Predictions{name}: {len(self)} photos, {what}>"

    def write(self, path: Path | str, *, form: Form | None = None, force: bool = False) -> None:
        """Write a file, whole or not at all; without a form, a `.csv` is CSV and all else Parquet."""
        form = form or ("csv" if Path(path).suffix == ".csv" else "parquet")
        write_whole(place_of(path), self.encode(form), force=force)

    def encode(self, form: Form) -> pa.Buffer:
        """Return the bytes of one of the three forms; a submission is the CSV of `ImageID,ans`.

        Raises:
            MaskkitError: The form needs probabilities or a label space, and there are none.
        """
        if self.places is not None and form != "parquet":
            raise MaskkitError(
                f"a part of predictions cannot be written as {form}",
                why="only Parquet says where its rows belong",
                fix="write Parquet, and the other form with `maskkit join`",
            )
        if form == "submission":
            return to_csv(["ImageID", ANSWER], [self.path, pa.array(self.answer)])
        if self.probs is None or (form == "parquet" and self.header.space is None):
            lacking = "probabilities" if self.probs is None else "label space"
            raise MaskkitError(
                f"these predictions cannot be written as {form}",
                why=f"they come from CSV files that carry no {lacking}",
                fix="write a CSV" if self.probs is not None else "write a submission: -o FILE.csv",
            )
        assert self.classes is not None
        answered = answer_columns(self.answer, self.probs, self.classes)
        if form == "csv":
            sets = (
                {} if self.sets is None or self.header.space is None else self.sets.texts(self.header.space)
            )
            return to_csv(
                ["path", *answered, *self.classes, *sets],
                [self.path, *answered.values(), *map(pa.array, self.probs.T), *sets.values()],
            )
        flat = pa.array(np.ascontiguousarray(self.probs, np.float32).ravel())
        fold = np.full(len(self), -1) if self.fold is None else self.fold
        columns = {
            "path": self.path,
            **answered,
            "probs": pa.FixedSizeListArray.from_arrays(flat, self.probs.shape[1]),
            "fold": pa.array(fold.astype(np.int16), mask=fold < 0),
        }
        if self.sets is not None and self.header.space is not None:
            columns |= self.sets.columns(self.header.space)
        table = pa.table(columns)
        place = table.schema.get_field_index("probs")
        names = {"classes": json.dumps(self.classes, ensure_ascii=False)}  # for readers that know no header
        table = table.cast(table.schema.set(place, table.schema.field(place).with_metadata(names)))
        return to_parquet(table if self.places is None else place_rows(table, self.places), self.header)


def _from_parquet(source: Source) -> Predictions:
    header, table = read_parquet(source, kind="predictions")
    say_if_part(header, source.title)
    facts = fitting(header.facts, StoredPredictionFacts, partial(damaged_header, source.title))
    assert header.space is not None
    classes = tuple(header.space.names)
    wanted = {"path": pa.string(), "probs": pa.list_(pa.float32(), len(classes)), "fold": pa.int64()}
    names = ["path", "probs", *(["fold"] if "fold" in table.column_names else [])]
    try:
        columns = {name: table[name].cast(wanted[name]) for name in names}
        if columns["probs"].null_count:
            raise ValueError(f"{columns['probs'].null_count} rows of `probs` are empty")
    except (KeyError, ValueError, pa.ArrowException) as error:
        raise MaskkitError(
            f"{source.title} has no path and probabilities: {str(error).splitlines()[0]}",
            why=f"predictions have `path`, and `probs`, a list of {len(classes)} float32",
            fix="make them with `maskkit predict`",
        ) from error
    probs = columns["probs"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    probs = probs.reshape(-1, len(classes))  # (rows, classes)
    fold = columns["fold"].fill_null(-1).to_numpy() if "fold" in columns else None
    sets = None if facts.sets is None else AnswerSets.read(table, facts.sets, header.space, source.title)
    return Predictions(columns["path"], probs.argmax(1), probs, classes, fold, header, source, sets)
