"""Which people a model was trained on, as digests, so that nobody is scored on them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from maskkit.typed_json import Refuse, fitting

BYTES = 8  # 2,700 people in 21 kB; among a million people two share a digest once in 37 million times


class StoredSeen(msgspec.Struct):
    """The JSON of a `Seen`."""

    salt: Annotated[str, Meta(max_length=1000)]
    digests: bytes


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

    @classmethod
    def union(cls, several: Sequence[Seen]) -> Seen:
        """Return the people whom one of several models or more was trained on; their salt is the same."""
        (salt,) = {one.salt for one in several}
        return cls(salt, np.unique(np.concatenate([one.digests for one in several])))

    def contains(self, people: Sequence[str]) -> NDArray[np.bool_]:
        """Return for each person whether the model was trained on them, (people,)."""
        return np.isin(_digests(people, self.salt), self.digests)

    def to_json(self) -> dict[str, str]:
        """Return the form kept in headers."""
        return {"salt": self.salt, "digests": base64.b64encode(self.digests.astype("<u8").tobytes()).decode()}

    @classmethod
    def from_json(cls, data: object, refuse: Refuse, *, at: str = "seen") -> Seen:
        """Read the form that `to_json` returns, found `at` a place of what `refuse` makes errors of.

        Raises:
            MaskkitError: By `refuse`: it has another form.
        """
        stored = fitting(data, StoredSeen, refuse, at=at)
        if len(stored.digests) % BYTES:
            raise refuse(f"its {at}.digests have {len(stored.digests)} bytes, and each digest has {BYTES}")
        digests = np.frombuffer(stored.digests, dtype="<u8")
        if (digests[1:] <= digests[:-1]).any():
            raise refuse(f"its {at}.digests are not in order, each once")
        return cls(stored.salt, digests)


def _digests(people: Iterable[str], salt: str) -> NDArray[np.uint64]:
    key = salt.encode()[:64]
    data = b"".join(
        hashlib.blake2b(person.encode(), digest_size=BYTES, key=key).digest() for person in people
    )
    return np.frombuffer(data, dtype="<u8")
