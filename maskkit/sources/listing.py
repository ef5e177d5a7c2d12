"""What every way of finding photos comes to: rows of columns, before any of it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

BLOCK = 100_000  # Python's texts take three times the memory of Arrow's


@dataclass(frozen=True)
class Listing:
    """Photos as a source names them.

    Args:
        root: The folder that the paths are relative to.
        columns: `path`, and as far as the source knows them `person_id`, the factors and others;
            equally long, of any type.
        missing: Photos that the source promises but does not have: name and what is wrong.
    """

    root: Path
    columns: Mapping[str, pa.ChunkedArray]
    missing: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["path"])


class TextColumn:
    """A column of text that grows by a few at a time, and may come to tens of millions."""

    def __init__(self) -> None:
        self._done: list[pa.Array] = []
        self._waiting: list[str] = []

    def extend(self, texts: Iterable[str]) -> None:
        """Add texts."""
        self._waiting.extend(texts)
        if len(self._waiting) >= BLOCK:
            self._done.append(pa.array(self._waiting, pa.string()))
            self._waiting.clear()

    def whole(self) -> pa.ChunkedArray:
        """Return all of them."""
        return pa.chunked_array([*self._done, pa.array(self._waiting, pa.string())], pa.string())


def image_root(table: Path, root: str | None) -> Path:
    """Return the root given, or the folder `images` beside a table, or else the table's own folder."""
    if root is not None:
        return Path(root)
    beside = table.parent / "images"
    return beside if beside.is_dir() else table.parent
