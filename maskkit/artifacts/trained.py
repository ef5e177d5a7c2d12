"""What the training of one fold left behind: a checkpoint, or the history file beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path

from maskkit.artifacts.checkpoint import StoredScores, checkpoint_header
from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Record
from maskkit.artifacts.history import key_of
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, reason
from maskkit.labels import LabelSpace
from maskkit.storage.address import PathOrAddress, place_of
from maskkit.typed_json import fitting

HISTORY = ".history.csv"
CHECKPOINT = ".safetensors"
HELD_OUT = "held_out_"
NEEDED = ("epoch", f"{HELD_OUT}macro_f1", f"{HELD_OUT}accuracy", "is_best")


@dataclass(frozen=True)
class Trained:
    """One fold of a training."""

    path: PathOrAddress  # the file that was read
    fold: int  # the fold that was held out
    scores: Mapping[str, float]  # on the people held out, of the best epoch: `macro_f1`, `accuracy` and more
    history: tuple[Record, ...] = ()  # of the checkpoint; empty if there is none, only a history file
    space: LabelSpace | None = None  # its label space; None if unknown
    seen: Seen | None = None  # whom it was trained on; None if unknown
    # Macro-F1 on the people held out after each epoch; empty if there is no history file.
    curve: tuple[float, ...] = ()

    @classmethod
    def from_checkpoint(cls, source: Source) -> Trained:
        """Read what a checkpoint's header says of its training, and the history file beside it, if any.

        Raises:
            MaskkitError: It is no checkpoint, does not say how it scored on which fold, or held nobody out.
        """
        header = checkpoint_header(source)
        source.let_go()
        refuse = partial(_silent, source.title)
        stored = fitting(header.facts, StoredScores, refuse)
        if stored.fold is not None and not stored.scores:
            raise refuse("it is an average that was not scored")
        if stored.fold is None:
            raise MaskkitError(
                f"{source.title} was trained on everybody, and has no score",
                why="where nobody is held out, nobody is left whom the model has not seen",
                fix="give the checkpoints of the folds instead",
            )
        seen = Seen.from_json(stored.seen, refuse)
        path = place_of(source.name)
        beside = path.with_name(stem_of(path) + HISTORY)
        curve = _epochs(Source.open(str(beside)))[1] if beside.exists() else ()
        return cls(path, stored.fold, stored.scores, header.history, header.space, seen, curve)

    @classmethod
    def from_history(cls, source: Source) -> Trained:
        """Read a history file: what it is of, its checkpoint says, or the number at the end of its name.

        Raises:
            MaskkitError: It is damaged, or it is not known which fold was held out.
        """
        path = place_of(source.name)
        checkpoint = path.with_name(stem_of(path) + CHECKPOINT)
        if checkpoint.exists():
            return cls.from_checkpoint(Source.open(str(checkpoint)))
        number = re.search(r"[0-9]+$", stem_of(path))
        if number is None:
            raise MaskkitError(
                f"it is not known which fold {source.title} is of",
                why=f"there is no {checkpoint.name} beside it, and its name does not end in a number",
                fix=f"give the checkpoint, or name it like fold0{HISTORY}",
            )
        scores, curve = _epochs(source)
        return cls(path, int(number[0]), scores, curve=curve)

    @property
    def record(self) -> Record | None:
        """How it was trained; None if unknown."""
        return next((one for one in reversed(self.history) if one.stage in ("train", "soup")), None)

    @property
    def stem(self) -> str:
        """The file's name without its ending, and without the number at its end."""
        return re.sub(r"[0-9]+$", "", stem_of(self.path))

    @property
    def key(self) -> tuple[PathOrAddress, str]:
        """What it has in common with the other folds of its run: the folder, and all options but the fold."""
        record = self.record
        return self.path.parent, self.stem if record is None else key_of(record, self.history)


def histories_beside(predictions: Predictions) -> list[Path]:
    """Return the history files of the trainings behind predictions, beside the checkpoints that made them.

    A checkpoint is looked for where it was read, and by its name beside the predictions. One that is of
    another training by now has another history, and is passed over, and so is what cannot be read.
    """
    name = "" if predictions.source is None else predictions.source.name
    records = (record for record in predictions.header.history if record.stage == "predict")
    found: dict[Path, None] = {}
    for item in (item for record in records for item in record.inputs if item.made_by is not None):
        for path in (Path(item.path), Path(name).parent / Path(item.path).name):
            beside = path.with_name(stem_of(path) + HISTORY)
            if path.name.endswith(CHECKPOINT) and beside.is_file() and _made_by(path) == item.made_by:
                found[beside] = None
                break
    return list(found)


def _made_by(checkpoint: Path) -> str | None:
    """Return the id of the run that made a checkpoint, None if it cannot be read."""
    try:
        return checkpoint_header(Source.open(checkpoint)).history[-1].id
    except (MaskkitError, IndexError):
        return None


def stem_of(path: PathOrAddress) -> str:
    """Return a checkpoint's or history file's name without its ending, by which the two belong together."""
    return path.name.removesuffix(HISTORY).removesuffix(CHECKPOINT)


def is_unscored(source: Source) -> bool:
    """Whether a checkpoint has no score: of a training on everybody, or an average of all that is given."""
    facts = checkpoint_header(source).facts
    return facts.get("fold", 0) is None or facts.get("scores") == {}


def is_history(source: Source) -> bool:
    """Whether a file is the history of a training, by its first line."""
    first = bytes(memoryview(source.data)[:4096]).partition(b"\n")[0]
    return set(NEEDED) <= set(first.decode("utf-8", "replace").strip().split(","))


def _silent(name: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"{name} does not say how it scored on the fold that it held out",
        why=why,
        fix="give a checkpoint as `maskkit train` wrote it",
    )


def _epochs(source: Source) -> tuple[dict[str, float], tuple[float, ...]]:
    """Return the scores of the best epoch, and the macro-F1 of every epoch."""
    try:
        rows = CsvText.of(source).texts().to_pylist()
        best = [row for row in rows if row["is_best"] == "1"][-1]
        scores = {
            name.removeprefix(HELD_OUT): float(value)
            for name, value in best.items()
            if name.startswith(HELD_OUT)
        }
        curve = tuple(float(row[f"{HELD_OUT}macro_f1"]) for row in rows)
        if not all(map(isfinite, (*scores.values(), *curve))):
            raise ValueError("a score is not finite")
        return scores, curve
    except (ValueError, LookupError, TypeError) as error:
        raise MaskkitError(
            f"{source.title} is a damaged history of a training",
            why=f"no row of it is a best epoch with its scores: {reason(error)}",
            fix=f"give the {HISTORY} as `maskkit train` wrote it",
        ) from error
