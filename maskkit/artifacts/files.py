"""Files that appear whole or not at all, and sources that know their digest."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from maskkit.artifacts.seal import refuse_damaged
from maskkit.errors import MaskkitError
from maskkit.stopping import undoing

PARTIAL = ".partial"
STANDARD_INPUT = "standard input"
NAME_KEPT = 50  # characters; file systems take names of 255 bytes, and a sibling's is longer


@dataclass(frozen=True)
class Source:
    """An artifact's bytes, and the name by which the user gave it (`-` for standard input).

    There is none of an artifact that is damaged: making it raises a MaskkitError.
    """

    name: str
    data: pa.Buffer
    mapped: mmap.mmap | None = field(default=None, repr=False, compare=False)
    encoding: str | None = None  # of a table that is neither UTF-8 nor says what it is, as the user gave it

    def __post_init__(self) -> None:
        refuse_damaged(memoryview(self.data), self.title)

    @classmethod
    def open(cls, path: Path | str, *, encoding: str | None = None) -> Source:
        """Map a file into memory, or read it if it is a pipe, such as a shell's `<(command)`."""
        try:
            status = Path(path).stat()
            if stat.S_ISFIFO(status.st_mode) or status.st_size == 0:  # neither can be mapped
                return cls(str(path), pa.py_buffer(Path(path).read_bytes()), encoding=encoding)
            with Path(path).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return cls(str(path), pa.py_buffer(mapped), mapped, encoding)
        except OSError as error:
            raise MaskkitError(
                f"cannot read {path}",
                why=_reason(error),
                fix="check the path, which is relative to the folder you are in",
            ) from error

    @property
    def title(self) -> str:
        """The source as error texts call it."""
        return STANDARD_INPUT if self.name == "-" else self.name

    @cached_property
    def sha256(self) -> str:
        """Digest of the bytes, in hexadecimal."""
        digest = hashlib.sha256(memoryview(self.data)).hexdigest()
        self.let_go()
        return digest

    def let_go(self) -> None:
        """Give a mapped file's memory back; bytes that are read again come from the file."""
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_DONTNEED)

    def starts_with(self, magic: bytes) -> bool:
        """Whether the bytes begin with `magic`."""
        return memoryview(self.data)[: len(magic)] == magic


def encoding_given(*sources: Source | None) -> dict[str, str]:
    """Return the option `encoding` as a record has it, if it was given for one of the sources."""
    given = [one.encoding for one in sources if one is not None and one.encoding is not None]
    return {"encoding": given[0]} if given else {}


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise if `path` cannot be written: it exists without `force`, or its folder cannot hold it."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except OSError as error:  # such as a name that is too long
        raise _cannot_write(path, error) from error
    if mode is not None and stat.S_ISDIR(mode):
        raise MaskkitError(
            f"{path} is a folder", why="one file is written there", fix="give -o a file name inside it"
        )
    if mode is not None and not stat.S_ISREG(mode):
        raise MaskkitError(
            f"{path} is a device or a pipe",
            why="a file is written beside it and takes its place, which would destroy it",
            fix="use `-o -` to write to standard output",
        )
    if mode is not None and not force:
        raise MaskkitError(
            f"{path} exists already",
            why="an existing file is never overwritten unasked",
            fix="use --force to replace it, or another -o",
        )
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise MaskkitError(
            f"cannot write {path}", why=f"{folder} is not a folder you may write to", fix="use another -o"
        )


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary sibling of `path` that takes its place when the block ends without an error.

    The sibling is locked while it lives, so that the next writer of the same path can tell what
    `kill -9` left behind from what another process is still writing, and clear it away.
    A symbolic link stays one; the file it points to is replaced.
    """
    place = Path(os.path.realpath(path))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        (handle, name), forget = undoing(partial(_locked_sibling, place), _remove)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            mask = os.umask(0o022)  # which cannot be read without setting it
            os.umask(mask)
            os.fchmod(file.fileno(), 0o666 & ~mask)  # mkstemp made it private
            Path(name).replace(place)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise
    finally:
        forget()


def _remove(sibling: tuple[int, str]) -> None:
    Path(sibling[1]).unlink(missing_ok=True)


def write_whole(path: Path, data: bytes | bytearray | memoryview | pa.Buffer) -> None:
    """Write `data` to `path`, whole or not at all."""
    with written_whole(path) as file:
        file.write(memoryview(data))


def _locked_sibling(place: Path) -> tuple[int, str]:
    prefix = f".{place.name[:NAME_KEPT]}."
    for path in place.parent.iterdir():  # what was abandoned is cleared away
        if path.name.startswith(prefix) and path.name.endswith(PARTIAL):
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                path.unlink(missing_ok=True)
    while True:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=PARTIAL, dir=place.parent)
        with suppress(OSError):  # some network file systems have no locks; nothing is cleared there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)  # another writer cleared it away before it was locked


def _cannot_write(path: Path, error: OSError) -> MaskkitError:
    return MaskkitError(
        f"cannot write {path}",
        why=f"{_reason(error)}; what was there before is unchanged",
        fix="free some space or use another -o",
    )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
