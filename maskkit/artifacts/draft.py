"""Whole files beside the places that they are for."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from maskkit.artifacts.places import NAME_KEPT, cannot_write, made, real_place, sync_folder, take_name
from maskkit.stopping import undoing
from maskkit.storage import objects
from maskkit.storage.address import Address, PathOrAddress

if TYPE_CHECKING:
    import pyarrow as pa

    Content: TypeAlias = bytes | bytearray | memoryview | pa.Buffer

PARTIAL = ".partial"


@dataclass(frozen=True)
class Draft:
    """A whole file beside its place.

    It is locked while its writer lives, so that the next writer of the same name can tell what `kill -9` left
    behind from what another process is still writing, and clear it away.
    """

    path: Path  # as it was named
    place: Path  # where it will be: a symbolic link stays one
    beside: Path  # where it is
    file: BinaryIO  # open, and locked
    forget: Callable[[], None]  # that a signal is to remove it

    @classmethod
    def of(cls, path: Path, data: Content) -> Draft:
        """Write a file, and see that it is on the disk; raise a MaskkitError if that fails."""
        place, content = real_place(path), memoryview(data)
        try:
            made(place.parent)
            (file, beside), forget = undoing(partial(_opened_beside, place), _remove)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            mask = os.umask(0o022)  # which cannot be read without setting it
            os.umask(mask)
            os.fchmod(file.fileno(), 0o666 & ~mask)  # mkstemp made it private
            return cls(path, place, beside, file, forget)
        except BaseException as error:
            _remove((file, beside))
            forget()
            if isinstance(error, OSError):
                raise cannot_write(path, error) from error
            raise

    @cached_property
    def sha256(self) -> str:
        """Digest of the content, in hexadecimal; getting it raises a MaskkitError if that cannot be read."""
        try:
            return sha256_of(self.beside)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def appear(self, *, force: bool = False, known: Collection[str] = (), same_is_fine: bool = False) -> None:
        """Take the name, if it is free or what has it may be replaced, as those of a `Publication`.

        Raises:
            FileExistsError: It is taken.
            MaskkitError: The file system fails.
        """
        try:
            replaces = force
            if not force and not self._takes_free_name():
                there = sha256_of(self.place)
                if there not in known and not (same_is_fine and there == self.sha256):
                    raise FileExistsError(self.place)
                replaces = there != self.sha256
            if replaces:
                os.replace(self.beside, self.place)  # noqa: PTH105 - seen beside link, which pathlib turns round
            sync_folder(self.place.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _takes_free_name(self) -> bool:
        try:
            take_name(self.beside, self.place)
        except FileExistsError:
            return False
        return True

    def keep(self) -> Path:
        """Take another name, `a.2.csv` for `a.csv`, or the next that is free; return it."""
        for number in count(2):
            other = self.place.with_name(f"{self.place.stem[:NAME_KEPT]}.{number}{self.place.suffix}")
            with suppress(FileExistsError):
                take_name(self.beside, other)
                sync_folder(other.parent)
                return other
        raise AssertionError

    def discard(self) -> None:
        """Remove what is beside the place, if anything."""
        _remove((self.file, self.beside))
        self.forget()


def sha256_of(path: PathOrAddress) -> str:
    """Return the digest of a file's bytes, in hexadecimal; an empty text if there is no file."""
    if isinstance(path, Address):
        return objects.sha256_of(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _opened_beside(place: Path) -> tuple[BinaryIO, Path]:
    clear_abandoned(place)
    while True:
        handle, name = tempfile.mkstemp(prefix=_prefix(place), suffix=PARTIAL, dir=place.parent)
        with suppress(OSError):  # some network file systems have no locks; nothing is cleared there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return os.fdopen(handle, "wb"), Path(name)
        os.close(handle)  # another writer cleared it away before it was locked


def _prefix(place: Path) -> str:
    return f".{place.name[:NAME_KEPT]}."


def clear_abandoned(place: Path) -> None:
    """Remove what killed writers of a name have left beside it."""
    for path in place.parent.iterdir():
        if path.name.startswith(_prefix(place)) and path.name.endswith(PARTIAL):
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe of that name is not waited for
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                    path.unlink(missing_ok=True)
                finally:
                    os.close(handle)


def _remove(opened: tuple[BinaryIO, Path]) -> None:
    file, beside = opened
    with suppress(OSError):  # nothing of worth is lost, and what failed before is what is said
        beside.unlink(missing_ok=True)
    with suppress(OSError):
        file.close()
