"""What every way of finding photos comes to: rows of columns, before any of it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Listing:
    """Photos as a source names them.

    Args:
        root: The folder that the paths are relative to.
        columns: `path`, and as far as the source knows them `person_id`, the factors and others;
            equally long.
        missing: Photos that the source promises but does not have: name and what is wrong.
    """

    root: Path
    columns: Mapping[str, Sequence[object]]
    missing: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["path"])


def image_root(table: Path, root: str | None) -> Path:
    """Return the root given, or the folder `images` beside a table, or else the table's own folder."""
    if root is not None:
        return Path(root)
    beside = table.parent / "images"
    return beside if beside.is_dir() else table.parent
