"""Paths as they are spelled on disk: macOS writes names in NFD, most other programs in NFC."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from maskkit.storage.address import Address, PathOrAddress
from maskkit.storage.objects import names_in
from maskkit.texts import composed


def spelled_otherwise(folder: PathOrAddress, names: Iterable[str]) -> dict[str, str]:
    """Return those of some paths under a folder that are there in another form of Unicode, and which that is.

    A path that is there as it is written is not among them, nor one that two files could be.
    """
    tree = _ObjectTree(folder) if isinstance(folder, Address) else _Tree(os.fspath(folder))
    found = ((name, tree.spelled(name)) for name in names if not name.isascii())
    return {name: there for name, there in found if there is not None and there != name}


class _Tree:
    """A folder, of which each place is looked for once."""

    def __init__(self, folder: str = "") -> None:
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
        if self._is_there(place, name):
            return f"{start}{name}"
        other = self._in(place).get(composed(name))
        return None if other is None else f"{start}{other}"

    def _in(self, place: str) -> dict[str, str | None]:
        """Return the names in a folder by their composed form; None for one that two names have."""
        if place not in self._names:
            found: dict[str, str | None] = {}
            for name in self._listed(place):
                found[composed(name)] = None if composed(name) in found else name
            self._names[place] = found
        return self._names[place]

    def _is_there(self, place: str, name: str) -> bool:
        return os.path.exists(f"{self._folder}/{place}/{name}")  # noqa: PTH110 - False for a NUL

    def _listed(self, place: str) -> Collection[str]:
        try:
            return os.listdir(f"{self._folder}/{place}")  # noqa: PTH208 - as in `sources.layouts`
        except (OSError, ValueError):
            return ()


class _ObjectTree(_Tree):
    """What is below an address: a folder is listed once, instead of asking for each object."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address
        self._lists: dict[str, frozenset[str]] = {}

    def _is_there(self, place: str, name: str) -> bool:
        # A name in ASCII has one form. Where it is not there, that is found when it is read.
        return name.isascii() or name in self._listed(place)

    def _listed(self, place: str) -> Collection[str]:
        if place not in self._lists:
            self._lists[place] = frozenset(names_in(self._address / place))
        return self._lists[place]
