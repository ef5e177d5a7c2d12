"""Paths as they are spelled on disk: macOS writes names in NFD, most other programs in NFC."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from maskkit.texts import composed


def spelled_otherwise(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return those of some paths under a folder that are there in another form of Unicode, and which that is.

    A path that is there as it is written is not among them, nor one that two files could be.
    """
    tree = _Tree(os.fspath(folder))
    found = ((name, tree.spelled(name)) for name in names if not name.isascii())
    return {name: there for name, there in found if there is not None and there != name}


class _Tree:
    """A folder, of which each place is looked for once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._places: dict[str, str | None] = {"": ""}
        self._names: dict[str, dict[str, str | None]] = {}

    def spelled(self, name: str) -> str | None:
        """Return a path as it is on disk; None if it is not there, or two are."""
        place, there = "", self._places[""]
        *above, last = name.split("/")
        for part in above:
            place = f"{place}/{part}" if place else part
            if place not in self._places:
                self._places[place] = None if there is None else self._under(there, part)
            there = self._places[place]
        return None if there is None else self._under(there, last)

    def _under(self, place: str, name: str) -> str | None:
        start = f"{place}/" if place else ""
        if os.path.exists(f"{self._folder}/{start}{name}"):  # noqa: PTH110 - False for a NUL
            return f"{start}{name}"
        other = self._in(place).get(composed(name))
        return None if other is None else f"{start}{other}"

    def _in(self, place: str) -> dict[str, str | None]:
        """Return the names in a folder by their composed form; None for one that two names have."""
        if place not in self._names:
            found: dict[str, str | None] = {}
            try:
                names = os.listdir(f"{self._folder}/{place}")  # noqa: PTH208 - as in `sources.layouts`
            except (OSError, ValueError):
                names = []
            for name in names:
                found[composed(name)] = None if composed(name) in found else name
            self._names[place] = found
        return self._names[place]
