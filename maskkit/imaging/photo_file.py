"""A photo's file, before anything is made of its bytes: what it must be, and how much is read at a time."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final

from maskkit.errors import MaskkitError
from maskkit.options.values import as_bytes, parse_bytes
from maskkit.storage import objects
from maskkit.storage.address import Address, PathOrAddress

# What stands in the way of a file that only looks like a photo. Each can be raised by its variable.
MOST_PIXELS: Final = ("MASKKIT_PHOTO_PIXELS", 100_000_000)  # of one photo, upright or not
MOST_BYTES: Final = ("MASKKIT_PHOTO_BYTES", 128_000_000)  # of one file; and of all that are read at a time
MOST_MEMORY: Final = ("MASKKIT_PHOTO_MEMORY", 800_000_000)  # bytes that all threads decode into at a time

KINDS: Final = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "not a file but a pipe"),
    (stat.S_ISSOCK, "not a file but a socket"),
    (stat.S_ISCHR, "not a file but a device"),
    (stat.S_ISBLK, "not a file but a device"),
)


class PhotoError(Exception):
    """What is wrong with a photo, in a few words that its name can stand before."""


class BadPhotoError(MaskkitError):
    """A photo that cannot be used, by whatever is wrong with itself."""


def undecodable(path: str, why: str) -> BadPhotoError:
    """Return the error that names a photo and what is wrong with it."""
    return BadPhotoError(
        f"cannot read the photo {path}",
        why=why,
        fix="repair or remove it; `maskkit label --skip-bad` leaves such files out",
    )


@dataclass
class Budget:
    """An amount that threads share: whoever wants more than is left waits until others are done."""

    total: int
    _used: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Have so much of it for the length of the block; more than all there is, once nobody has any."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + amount <= self.total)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()


@dataclass(frozen=True)
class Limits:
    """How much one photo, and all that are decoded at a time, may take."""

    pixels: int
    bytes: int
    memory: int
    reading: Budget  # bytes of files; a thread that holds some may wait for `decoding`, never the other way
    decoding: Budget  # bytes of pixels


@cache
def limits() -> Limits:
    """Return the limits, as the environment sets them.

    Raises:
        MaskkitError: A variable is no number.
    """
    pixels = _setting(*MOST_PIXELS)
    size, memory = (
        _setting(*each, read=partial(_bytes, variable=each[0])) for each in (MOST_BYTES, MOST_MEMORY)
    )
    return Limits(pixels, size, memory, Budget(size), Budget(memory))


def _setting(variable: str, default: int, read: Callable[[str], int] = int) -> int:
    given = os.environ.get(variable, "").strip()
    if not given:
        return default
    is_number = re.fullmatch(r"[1-9][0-9]{0,14}", given) is not None
    if not is_number and read is int:
        raise MaskkitError(
            f"{variable} is {given!r:.60}",
            why="it is a whole number above 0",
            fix=f"set it to a number such as {10 * default}, or unset it for {default}",
        )
    return int(given) if is_number else read(given)


def _bytes(text: str, variable: str) -> int:
    return max(1, parse_bytes(text, example=f"{variable}=2GB"))


@contextmanager
def photo_bytes(file: PathOrAddress) -> Iterator[bytes]:
    """Read a photo's whole file, and have room for it until the block ends.

    Links are followed to a regular file. Nothing else is opened: a pipe would be waited for, a device may
    have no end.

    Raises:
        OSError: There is no such file, or it cannot be read.
        PhotoError: It is none of a regular kind, or larger than MOST_BYTES.
        StoreError: It is at an address, and the store does not give it.
    """
    if isinstance(file, Address):
        with objects.opened(file) as there:
            size = _allowed(there.size)
            with limits().reading.hold(size):
                yield there.read()
        return
    size = photo_size(file)
    with limits().reading.hold(size), file.open("rb") as opened:
        yield opened.read(size)  # no more, should it grow meanwhile


def read_photo(file: PathOrAddress) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        OSError: There is no such file, or it cannot be read.
        BadPhotoError: It can be no photo.
        StoreError: As `photo_bytes`.
    """
    try:
        with photo_bytes(file) as data:
            return data
    except PhotoError as error:
        raise undecodable(str(file), str(error)) from error


def photo_start(file: PathOrAddress, count: int) -> bytes:
    """Return the first bytes of a photo's file; it raises what `photo_bytes` does."""
    if isinstance(file, Address):
        with objects.opened(file) as there:
            _allowed(there.size)
            return there.start(count)
    photo_size(file)
    with file.open("rb") as opened:
        return opened.read(count)


def threads_for(files: Sequence[PathOrAddress]) -> int | None:
    """Return how many threads read these files, which are all of one place; None for one on each core."""
    return objects.READERS if files and isinstance(files[0], Address) else None


def photo_size(file: Path) -> int:
    """Return how many bytes a photo's file has, without opening it; it raises what `photo_bytes` does."""
    try:
        status = os.stat(file)  # noqa: PTH116 - pathlib takes three times as long
    except ValueError as error:  # a name with NUL in it
        raise PhotoError(f"no file can have this name: {error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(next((words for is_kind, words in KINDS if is_kind(status.st_mode)), "not a file"))
    return _allowed(status.st_size)


def _allowed(size: int) -> int:
    """Return the size of a photo's file, unless it is too large."""
    most = limits().bytes
    if size > most:
        words = f"at most {as_bytes(most)} are read ({MOST_BYTES[0]} raises it)"
        raise PhotoError(f"{as_bytes(size)} are too many: {words}")
    return size
