"""What every artifact says about itself: its kind, its label space, and how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from maskkit import __version__
from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace

FORMAT = 1
KEY = "maskkit"


@dataclass(frozen=True)
class Input:
    """A file that a stage read."""

    path: str  # as the user gave it
    sha256: str  # digest of its bytes
    made_by: str | None = None  # the `id` of the record that made it; None for a file that no stage made
    option: str | None = None  # the option that named it; None for an argument


@dataclass(frozen=True)
class Record:
    """One run of one stage, without clock, host or user, so that the same run gives the same bytes."""

    stage: str  # its name
    options: Mapping[str, Any]  # as resolved
    inputs: tuple[Input, ...] = ()  # what it read
    version: str = __version__  # of maskkit
    # What the run found out and that no option says, such as the folds of the models behind predictions.
    found: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Digest that tells this run from every other."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in headers."""
        return {
            "stage": self.stage,
            "maskkit": self.version,
            "options": dict(self.options),
            "seed": self.options.get("seed"),  # of the run's randomness, if it had any
            "inputs": [asdict(item) for item in self.inputs],
            **({"found": dict(self.found)} if self.found else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Read the form that `to_json` returns."""
        inputs = tuple(Input(**item) for item in data["inputs"])
        return cls(data["stage"], data["options"], inputs, data["maskkit"], data.get("found", {}))


@dataclass(frozen=True)
class Header:
    """The JSON under the key `maskkit` of a Parquet footer or of safetensors metadata."""

    kind: str  # `manifest`, `predictions`, `checkpoint`, `decision` or, exported, `model`
    space: LabelSpace | None  # None for a CSV, which carries no header
    history: tuple[Record, ...] = ()  # every stage run that led here, oldest first
    # What only this kind says, such as a checkpoint's model name.
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the header as JSON text with a stable order of keys."""
        return json.dumps(
            {
                "format": FORMAT,
                "kind": self.kind,
                "label_space": None if self.space is None else self.space.to_json(),
                "history": [record.to_json() for record in self.history],
                **self.facts,
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str | bytes, *, name: str, kind: str | None = None) -> Header:
        """Read a header; `name` and the expected `kind` are for error texts."""
        try:
            data = dict(json.loads(text))
            number = data.pop("format")
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(name, error) from error
        if number != FORMAT:
            raise MaskkitError(
                f"{name} has format {number}",
                why=f"this is maskkit {__version__}, which reads format {FORMAT}",
                fix="make the file again with this version, or use the version that made it",
            )
        try:
            found, space = data.pop("kind"), data.pop("label_space")
            history = tuple(Record.from_json(item) for item in data.pop("history"))
            classes = None if space is None else LabelSpace.from_json(space)
        except (KeyError, TypeError, AttributeError, MaskkitError) as error:
            raise _damaged(name, error) from error
        if kind is not None and found != kind:
            raise wrong_kind(name, found, kind)
        if classes is None:
            raise _damaged(name, ValueError("it has no label space"))
        return cls(found, classes, history, data)

    def then(self, record: Record) -> Header:
        """Return the header with one more record."""
        return replace(self, history=(*self.history, record))

    def lineage(self) -> Iterator[Record]:
        """Yield the records that the artifact descends from by first inputs, the newest first.

        A history may also hold how other inputs were made, such as those of predictions beside a manifest.
        """
        known = {record.id: record for record in self.history}
        record = self.history[-1] if self.history else None
        while record is not None:
            yield record
            record = known.get(record.inputs[0].made_by or "") if record.inputs else None

    @property
    def parents(self) -> tuple[Record, ...]:
        """The records that made what the last one read."""
        made_by = {item.made_by for item in self.history[-1].inputs} if self.history else set()
        return tuple(record for record in self.history if record.id in made_by)

    def input_from(self, source: Source) -> Input:
        """Describe the artifact of this header as an input of the next stage."""
        made_by = self.history[-1].id if self.history else None
        return Input(source.name, source.sha256, made_by)


def wrong_kind(name: str, found: str, wanted: str) -> MaskkitError:
    """Return the error for a file that is an artifact, but of another kind than wanted."""
    return MaskkitError(
        f"{name} is a {found}, not a {wanted}",
        why=f"this argument takes a {wanted}",
        fix="look at the order of the arguments; `maskkit show FILE` says what a file is",
    )


def _damaged(name: str, error: Exception) -> MaskkitError:
    if isinstance(error, KeyError):
        why = f"it has no {error}"
    else:
        why = error.what if isinstance(error, MaskkitError) else str(error)
    return MaskkitError(f"{name} has a damaged maskkit header", why=why, fix="make the file again")


def merged(histories: Iterable[tuple[Record, ...]]) -> tuple[Record, ...]:
    """Join several histories, each record once, every record after the ones it builds on."""
    records = {record.id: record for history in histories for record in history}
    return tuple(records.values())


def same_space(first: LabelSpace, second: LabelSpace, *, names: tuple[str, str]) -> None:
    """Raise a MaskkitError if two artifacts are not of the same classes."""
    difference = first.difference(second)
    if difference is not None:
        raise MaskkitError(
            f"{names[0]} and {names[1]} have different label spaces",
            why=difference,
            fix="make both with the same --task",
        )
