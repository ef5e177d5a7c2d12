"""The bytes of files that are read, and their digest."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from maskkit.artifacts.machine_memory import machine_memory
from maskkit.artifacts.seal import refuse_damaged
from maskkit.errors import MaskkitError, reason
from maskkit.options.values import as_bytes
from maskkit.storage.address import Address, place_of
from maskkit.storage.objects import opened, refuse_missing

STANDARD_INPUT = "standard input"
BLOCK = 1 << 20  # bytes of a pipe or device that are read at a time


class Source:
    """An artifact's bytes, and the name by which the user gave it (`-` for standard input).

    They are read as a whole. Were the file mapped instead, another program could take its end away, which the
    kernel answers with a signal that ends the process. There is no source of an artifact that is damaged:
    making it raises a MaskkitError.
    """

    def __init__(self, name: str, data: pa.Buffer, *, encoding: str | None = None) -> None:
        self.name = name
        self.encoding = encoding  # of a table that is neither UTF-8 nor says what it is, as the user gave it
        self._data: pa.Buffer | None = data
        self._can_be_read_again = False
        refuse_damaged(memoryview(data), self.title)

    @classmethod
    def open(cls, path: Path | str, *, encoding: str | None = None) -> Source:
        """Read a file, or a pipe, such as a shell's `<(command)`; or a folder or pattern of parts, as one.

        A text may be an address; a `Path` never is.

        Raises:
            MaskkitError: It cannot be read, changes meanwhile, or takes more than half of the memory; parts
                are not those of one run.
        """
        place = place_of(path)
        # `os.path` says no of a name that cannot be.
        if not (place.is_file() if isinstance(place, Address) else os.path.isfile(path)):  # noqa: PTH113
            from maskkit.artifacts import shard_parts  # which read files themselves

            if (whole := shard_parts.opened(path)) is not None:
                return whole
        data, is_file = _content(path)
        source = cls(str(path), pa.py_buffer(data), encoding=encoding)
        source._can_be_read_again = is_file
        return source

    @property
    def data(self) -> pa.Buffer:
        """The bytes; once they were let go, they are read again, and have to be the same."""
        if self._data is None:
            data, _ = _content(self.name)
            if hashlib.sha256(data).hexdigest() != self.sha256:
                raise _changed(self.name)
            self._data = pa.py_buffer(data)
        return self._data

    @property
    def title(self) -> str:
        """The source as error texts call it."""
        return STANDARD_INPUT if self.name == "-" else self.name

    @cached_property
    def sha256(self) -> str:
        """Digest of the bytes, in hexadecimal."""
        return hashlib.sha256(memoryview(self.data)).hexdigest()

    def let_go(self) -> None:
        """Give the memory of a file's bytes back: what is needed of them has been read."""
        if self._can_be_read_again and self.sha256:
            self._data = None

    def starts_with(self, magic: bytes) -> bool:
        """Whether the bytes begin with `magic`."""
        return memoryview(self.data)[: len(magic)] == magic


def encoding_given(*sources: Source | None) -> dict[str, str]:
    """Return the option `encoding` as a record has it, if it was given for one of the sources."""
    given = [one.encoding for one in sources if one is not None and one.encoding is not None]
    return {"encoding": given[0]} if given else {}


def _content(path: Path | str) -> tuple[bytes, bool]:
    """Return what is in a file or comes from a pipe, and whether it could be read a second time."""
    place = place_of(path)
    try:
        if isinstance(place, Address):
            return _fetched(place), True
        with place.open("rb") as file:
            before = os.fstat(file.fileno())
            most = machine_memory() // 2
            if before.st_size > most:
                raise _too_large(path, most)
            if not stat.S_ISREG(before.st_mode):
                return _poured(file, path, most), False
            data, after = file.read(), os.fstat(file.fileno())
    except OSError as error:
        if isinstance(place, Address):
            refuse_missing(place)
        raise MaskkitError(
            f"cannot read {path}",
            why=reason(error),
            fix="check the path, which is relative to the folder you are in",
        ) from error
    if len(data) != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise _changed(path)
    return data, True


def _fetched(address: Address) -> bytes:
    """Return what is at an address."""
    with opened(address) as object_:
        if object_.size > (most := machine_memory() // 2):
            raise _too_large(str(address), most)
        return object_.read()


def _poured(file: BinaryIO, path: Path | str, most: int) -> bytes:
    """Return all that a pipe or device gives."""
    blocks, length = [], 0
    while block := file.read(BLOCK):
        blocks.append(block)
        length += len(block)
        if length > most:
            raise _too_large(path, most)
    return b"".join(blocks)


def _too_large(path: Path | str, most: int) -> MaskkitError:
    return MaskkitError(
        f"{path} is too large",
        why=f"it would be read as a whole, and has more than {as_bytes(most)}, half of this machine's memory",
        fix="check that it is the file you mean, or give a part of it",
    )


def _changed(path: Path | str) -> MaskkitError:
    return MaskkitError(
        f"{path} changed while it was read",
        why="another program is writing it",
        fix="wait until that has ended; maskkit's own -o, unlike `>`, shows a file only once it is whole",
    )
