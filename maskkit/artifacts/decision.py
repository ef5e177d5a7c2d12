"""How probabilities become answers: a temperature and an offset per class, tuned once and kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace

SMALLEST = 1e-7  # what counts as zero: about what float32 can tell from one


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
        header = Header.from_json(bytes(source.data), name=source.title, kind="decision")
        facts = header.facts
        assert header.space is not None
        try:
            if list(facts["offsets"]) != header.space.names:
                raise ValueError(f"its offsets are of {len(facts['offsets'])} other classes")
            offsets = tuple(float(value) for value in facts["offsets"].values())
            temperature = float(facts["temperature"])
            if not all(map(isfinite, (*offsets, temperature))) or temperature <= 0:
                raise ValueError(f"the temperature is {temperature}, the offsets are {offsets}")
            return cls(header, str(facts["method"]), offsets, temperature, facts["measured"], source)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MaskkitError(
                f"{source.title} is a damaged decision",
                why=str(error),
                fix="make it again with `maskkit evaluate --tune`",
            ) from error

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
        return pa.py_buffer((json.dumps(json.loads(self.header.to_json()), indent=2) + "\n").encode())
