"""Which people a model was trained on, as digests, so that nobody is scored on them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTES = 8  # 2,700 people in 21 kB; among a million people two share a digest once in 37 million times


@dataclass(frozen=True)
class Seen:
    """Salted digests of the people a model was trained on.

    The salt comes from the training manifest, so the digests are reproducible, yet the people
    cannot be read from a published checkpoint without that manifest's digest and a list of names.
    """

    salt: str
    digests: NDArray[np.uint64]  # (people,), ascending

    @classmethod
    def of(cls, people: Iterable[str], *, salt: str) -> Seen:
        """Digest each person once."""
        return cls(salt, np.unique(_digests(people, salt)))

    def contains(self, people: Sequence[str]) -> NDArray[np.bool_]:
        """Return for each person whether the model was trained on them, (people,)."""
        return np.isin(_digests(people, self.salt), self.digests)

    def to_json(self) -> dict[str, str]:
        """Return the form kept in headers."""
        return {"salt": self.salt, "digests": base64.b64encode(self.digests.astype("<u8").tobytes()).decode()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Seen:
        """Read the form that `to_json` returns."""
        return cls(data["salt"], np.frombuffer(base64.b64decode(data["digests"]), dtype="<u8"))


def _digests(people: Iterable[str], salt: str) -> NDArray[np.uint64]:
    key = salt.encode()[:64]
    data = b"".join(
        hashlib.blake2b(person.encode(), digest_size=BYTES, key=key).digest() for person in people
    )
    return np.frombuffer(data, dtype="<u8")
