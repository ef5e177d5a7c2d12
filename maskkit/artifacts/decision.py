"""How probabilities become answers: a temperature and an offset per class, tuned once and kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Meta
from numpy.typing import NDArray

from maskkit.artifacts.columns import SMALLEST
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.seal import DECISION
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.typed_json import fitting

MOST_BYTES = 16_000_000  # of a file

Offset = Annotated[float, Meta(ge=-1e6, le=1e6)]


class StoredChange(msgspec.Struct):
    """The JSON of what a tuning changed in one measure."""

    measure: str
    plain: float | None
    in_sample: float | None
    nested: float | None
    gain: dict[str, float | None]


class StoredOffset(msgspec.Struct):
    """The JSON of what was tuned for one class or level."""

    name: str
    value: float | None


class StoredMeasured(msgspec.Struct):
    """The JSON of what is shown of a tuning; beside it there may be any plain values."""

    changes: list[StoredChange] = []
    offsets: list[StoredOffset] = []
    consensus: bool | None = None


class StoredDecision(msgspec.Struct):
    """The JSON of a `Decision` beside its header."""

    method: Annotated[str, Meta(max_length=1000)]
    offsets: dict[str, Offset]
    temperature: Annotated[float, Meta(gt=0, le=1e6)]
    measured: dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """An answer is the class with the largest log(probability) / temperature + offset."""

    header: Header  # label space and history
    method: str  # what was tuned, such as `classes`, `factors`, `age` or `temperature`
    offsets: tuple[float, ...]  # of each class, (C,)
    temperature: float = 1.0  # above 1 it makes probabilities less sure, below 1 surer; it changes no answer
    # What the tuning was seen to bring, as plain values for people and programs.
    measured: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = None  # what it was read from; None if it was made in this process

    @classmethod
    def make(
        cls,
        space: LabelSpace,
        history: Sequence[Record],
        *,
        method: str,
        offsets: Sequence[float] | None = None,
        temperature: float = 1.0,
        measured: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Return a new one, with its facts in its header; offsets are 0 if left out."""
        numbers = tuple(float(value) for value in (offsets if offsets is not None else [0.0] * len(space)))
        facts = {
            "method": method,
            "temperature": float(temperature),
            "offsets": dict(zip(space.names, numbers, strict=True)),
            "measured": dict(measured or {}),
        }
        header = Header("decision", space, tuple(history), facts)
        return cls(header, method, numbers, float(temperature), facts["measured"])  # type: ignore[arg-type]

    @classmethod
    def read(cls, source: Source | Path | str) -> Decision:
        """Read what `maskkit evaluate --tune` wrote; raise a MaskkitError of anything else."""
        source = source if isinstance(source, Source) else Source.open(source)
        data = bytes(memoryview(source.data)[: MOST_BYTES + 1])
        header = Header.from_json(data, name=source.title, kind="decision", most=MOST_BYTES)
        refuse = partial(_damaged, source.title)
        stored = fitting(header.facts, StoredDecision, refuse)
        fitting(stored.measured, StoredMeasured, refuse, at="measured")
        assert header.space is not None
        if list(stored.offsets) != header.space.names:
            raise refuse(f"its offsets are of {len(stored.offsets)} other classes")
        offsets = tuple(stored.offsets.values())
        return cls(header, stored.method, offsets, stored.temperature, stored.measured, source)

    @property
    def space(self) -> LabelSpace:
        """The classes that it is of."""
        assert self.header.space is not None
        return self.header.space

    @property
    def name(self) -> str:
        """The decision as the user knows it, for error texts."""
        return "the decision" if self.source is None else self.source.title

    def as_input(self) -> Source:
        """Return the bytes that a next stage records as its input."""
        return self.source or Source("-", self.to_bytes())

    def applied(self, probs: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return probabilities whose largest is the answer, (N, C), rows sum to 1.

        They are those under another prior, exp(offset) times as likely, so they are no longer calibrated.
        """
        logs = np.log(np.maximum(probs, SMALLEST, dtype=np.float64)) / self.temperature  # (N, C)
        logs += np.array(self.offsets)
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def to_bytes(self) -> pa.Buffer:
        """Return the JSON file."""
        text = json.dumps(json.loads(self.header.to_json()), indent=2) + "\n"
        return pa.py_buffer(DECISION.sealed(b"", text.removeprefix("{\n").encode()))


def _damaged(name: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"{name} is a damaged decision", why=why, fix="make it again with `maskkit evaluate --tune`"
    )
