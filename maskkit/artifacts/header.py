"""What every artifact says about itself: its kind, its label space, and how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from maskkit import __version__
from maskkit.artifacts.files import Source
from maskkit.artifacts.seal import SEALED
from maskkit.errors import MaskkitError
from maskkit.labels import MOST_CLASSES, LabelSpace
from maskkit.options.values import MOST_FOLDS
from maskkit.typed_json import MOST_BYTES, MOST_SHOWN, Refuse, Sha256, Text, Word, decoded, fitting, spelled

FORMAT = 1
KEY = "maskkit"
MOST_RECORDS = 4096  # of a history: some of a thousand folds, each with its own pseudo labels
MOST_INPUTS = 4096  # of a record
MOST_FACTORS = 64

_VERSION = (
    r"\A[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[a-z0-9]+([._-][a-z0-9]+)*)?\Z"
)
Version = Annotated[str, spelled(_VERSION, "a version, such as 1.2", longest=64)]  # without an epoch
RecordId = Annotated[str, spelled(r"\A[0-9a-f]{16}\Z", "16 hexadecimal digits")]
Stage = Annotated[str, spelled(r"\A[a-z][a-z0-9_-]*\Z", "a word in small letters", longest=64)]
Fold = Annotated[int, Meta(ge=0, lt=MOST_FOLDS)]
NoFold = Annotated[str, spelled(r"\Anone(:until=[0-9]{1,5})?\Z", "the number of a fold, or none")]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True)
class Input:
    """A file that a stage read."""

    path: Text  # as the user gave it
    sha256: Sha256  # digest of its bytes
    # The `id` of the record that made it; None for a file that no stage made.
    made_by: RecordId | None = None
    option: Word | None = None  # the option that named it; None for an argument


class StoredOptions(msgspec.Struct):
    """The options that later stages read; others can have any plain value."""

    root: Text | None = None
    by: str | None = None
    keep_with: list[str] | None = None
    fold: Fold | NoFold | None = None
    oof: bool | None = None
    detector: str | None = None
    score: float | None = None
    precision: str | None = None
    allow_leak: bool | None = None


class StoredRecord(msgspec.Struct):
    """The JSON of a `Record`."""

    stage: Stage
    maskkit: Version
    options: dict[Word, Any]
    inputs: Annotated[tuple[Input, ...], Meta(max_length=MOST_INPUTS)]
    found: dict[Word, Any] = {}


class StoredFactor(msgspec.Struct):
    """The JSON of a `Factor`."""

    name: Name
    levels: Annotated[list[Name], Meta(min_length=2, max_length=MOST_CLASSES)]
    cuts: list[int | float] = []
    personal: bool = False


class StoredSpace(msgspec.Struct):
    """The JSON of a `LabelSpace`."""

    factors: Annotated[list[StoredFactor], Meta(min_length=1, max_length=MOST_FACTORS)]


class StoredFormat(msgspec.Struct):
    """What the JSON of every version of a header holds."""

    format: Any


class StoredHeader(msgspec.Struct):
    """What that of this version holds beside it; all else are facts of its kind."""

    kind: Stage
    label_space: StoredSpace
    history: Annotated[list[dict[str, Any]], Meta(max_length=MOST_RECORDS)]


NO_FACTS = {*StoredFormat.__struct_fields__, *StoredHeader.__struct_fields__, SEALED}


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
    def from_json(cls, data: object, refuse: Refuse, *, at: str = "") -> Record:
        """Read the form that `to_json` returns, found `at` a place of what `refuse` makes errors of.

        Raises:
            MaskkitError: By `refuse`: it has another form.
        """
        stored = fitting(data, StoredRecord, refuse, at=at)
        fitting(stored.options, StoredOptions, refuse, at=f"{at}.options")
        return cls(stored.stage, stored.options, stored.inputs, stored.maskkit, stored.found)


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
    def from_json(
        cls, text: str | bytes, *, name: str, kind: str | None = None, most: int = MOST_BYTES
    ) -> Header:
        """Read a header of at most so many bytes; `name` and the expected `kind` are for error texts."""
        refuse = partial(damaged_header, name)
        data = decoded(text, dict[str, Any], refuse, most=most)
        number = fitting(data, StoredFormat, refuse).format
        if type(number) is not int or number != FORMAT:
            raise MaskkitError(
                f"{name} has format {str(number)[:MOST_SHOWN]}",
                why=f"this is maskkit {__version__}, which reads format {FORMAT}",
                fix="make the file again with this version, or use the version that made it",
            )
        stored = fitting(data, StoredHeader, refuse)
        history = tuple(
            Record.from_json(one, refuse, at=f"history[{place}]") for place, one in enumerate(stored.history)
        )
        try:
            space = LabelSpace.from_json(data["label_space"])
        except MaskkitError as error:
            raise refuse(error.what) from error
        if kind is not None and stored.kind != kind:
            raise wrong_kind(name, stored.kind, kind)
        facts = {key: value for key, value in data.items() if key not in NO_FACTS}
        return cls(stored.kind, space, history, facts)

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


def damaged_header(name: str, why: str) -> MaskkitError:
    """Return the error for a header that is not as it should be."""
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
