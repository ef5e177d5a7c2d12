"""Where photos are worked on, if not by the processors of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maskkit.errors import MaskkitError


@dataclass(frozen=True)
class RayAddress:
    """The Ray that works on photos."""

    address: str | None = None  # of a cluster; None for the one that RAY_ADDRESS names, or one started here

    @classmethod
    def read(cls, text: str) -> RayAddress:
        """Read one as it is written, `ray` or `ray://HOST:PORT`.

        Raises:
            MaskkitError: It is neither.
        """
        if text == "ray":
            return cls()
        if re.fullmatch(r"ray://[A-Za-z0-9.\-_\[\]:]+:[0-9]{1,5}", text):
            return cls(text)
        raise MaskkitError(
            f"--engine is {text!r}",
            why="it is ray, or ray://HOST:PORT of a cluster, whose port is 10001 if no other was chosen",
            fix="write it like --engine ray, or leave it out for the processors of this machine",
        )

    @classmethod
    def read_if_given(cls, text: str | None) -> RayAddress | None:
        """Read one as `read`; None for None, which is this machine without Ray."""
        return None if text is None else cls.read(text)

    def __str__(self) -> str:
        return self.address or "ray"
