"""Whole objects before they are at their addresses, as a `Draft` is a whole file beside its place."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from maskkit.artifacts.places import NAME_KEPT
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError
from maskkit.storage import objects
from maskkit.storage.address import Address

if TYPE_CHECKING:
    from maskkit.artifacts.draft import Content


@dataclass(frozen=True)
class Upload:
    """What will be at an address, in memory until it appears there, whole or not at all.

    The name is looked at first. Between that look and the upload another program may take it, which a file
    system would refuse: object stores that Arrow reaches have no word for it.
    """

    path: Address
    data: Content

    @property
    def place(self) -> Address:
        """Where it will be."""
        return self.path

    @cached_property
    def sha256(self) -> str:
        """Digest of the content, in hexadecimal."""
        return hashlib.sha256(memoryview(self.data)).hexdigest()

    def appear(self, *, force: bool = False, known: Collection[str] = (), same_is_fine: bool = False) -> None:
        """Take the name, if it is free or what has it may be replaced, as those of a `Publication`.

        Raises:
            FileExistsError: It is taken.
            StoreError: The store fails.
        """
        there = "" if force else objects.sha256_of(self.path)
        if there and there not in known and not (same_is_fine and there == self.sha256):
            raise FileExistsError(str(self.path))
        if force or there != self.sha256:
            objects.put(self.path, self.data)

    def keep(self) -> Address:
        """Take another name, `a.2.csv` for `a.csv`, or the next that is free; return it."""
        for number in count(2):
            other = self.path.with_name(f"{self.path.stem[:NAME_KEPT]}.{number}{self.path.suffix}")
            if not other.exists():
                objects.put(other, self.data)
                return other
        raise AssertionError

    def discard(self) -> None:
        """Forget it; there is nothing that could be left anywhere."""


def upload_of(path: Address, data: Content) -> Upload:
    """Return an upload, which a dry run does not come to."""
    work_begins()
    return Upload(path, data)


def refuse_existing_object(address: Address, *, force: bool, known: Collection[str] = ()) -> None:
    """Raise if an address cannot be written: an object is there unasked, or there is no such bucket."""
    if not address.key or address.is_dir():
        raise MaskkitError(
            f"{address} is a {'folder' if address.key else 'bucket'}",
            why="one object is written there",
            fix="give -o a name inside it",
        )
    if not objects.has_bucket(address):
        raise MaskkitError(
            f"cannot write {address}",
            why=f"there is no bucket {address.bucket}",
            fix="make it, or check its name",
        )
    if force:
        return
    there = objects.sha256_of(address) if known else "there" if address.is_file() else ""
    if there and there not in known:
        raise MaskkitError(
            f"{address} exists already",
            why="an existing object is never overwritten unasked",
            fix="use --force to replace it, or another -o",
        )
