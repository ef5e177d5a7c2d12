"""Which share of a run one of several processes, maybe on several machines, works on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maskkit.errors import MaskkitError

MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of a run, in the order of its rows."""

    number: int  # from 1
    count: int  # of all

    @classmethod
    def read(cls, text: str) -> Shard:
        """Read one as it is written, such as `3/7`.

        Raises:
            MaskkitError: It is none.
        """
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count <= MOST_SHARDS:
            raise MaskkitError(
                f"--shard is {text!r}",
                why=f"it is NUMBER/COUNT: from 1/COUNT to COUNT/COUNT, of at most {MOST_SHARDS}",
                fix="write it like --shard 3/7, and run the others too",
            )
        return cls(number, count)

    @classmethod
    def read_if_given(cls, text: str | None) -> Shard | None:
        """Read one as `read`; None for None, which is all of a run."""
        return None if text is None else cls.read(text)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, total: int) -> slice:
        """Return which of so many rows, or batches, are in it; the shares differ by one at most."""
        return slice((self.number - 1) * total // self.count, self.number * total // self.count)
