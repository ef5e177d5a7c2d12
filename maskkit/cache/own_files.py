"""Files of the cache: anybody may change, shorten, replace or delete them at any moment.

They are read and written, never mapped, since a mapped file that becomes shorter kills the process. One that
is open stays readable whatever becomes of its name. What stands in the place of a file and is none, such as
a folder, a pipe or a link, is neither read nor followed; a writer removes it.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
import threading
import weakref
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

# A pipe is not waited for, and a link not followed: what it leads to is not the cache's.
SAFELY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
NOT_A_FILE = (errno.EISDIR, errno.ELOOP, errno.ENXIO)  # what opening a folder, a link or a socket ends in
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

_said: set[Path] = set()
_saying = threading.Lock()


class OpenFile:
    """A regular file, open for as long as somebody has it."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        weakref.finalize(self, os.close, handle)

    @property
    def size(self) -> int:
        """How many bytes it has now."""
        return os.fstat(self.handle).st_size

    def read_into(self, view: memoryview, start: int) -> bool:
        """Fill `view` from a place of the file on; return whether all of it was there and could be read."""
        try:
            done = os.preadv(self.handle, [view], start)
            while done < len(view):
                count = os.preadv(self.handle, [view[done:]], start + done)
                if not count:
                    return False
                done += count
        except OSError:  # such as a bad sector
            return False
        return True

    def read(self, start: int, count: int) -> bytes:
        """Return so many bytes from a place on, or none if they are not all there."""
        data = bytearray(count)
        return bytes(data) if self.read_into(memoryview(data), start) else b""

    def write(self, data: bytes, start: int) -> None:
        """Write all of it at a place, or raise an OSError."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self.handle, view, start)
            view, start = view[count:], start + count


def open_for_reading(path: Path) -> OpenFile:
    """Open a file, for writing too if it may be.

    Raises:
        OSError: There is none, or it may not be read.
    """
    try:
        return _regular(os.open(path, os.O_RDWR | SAFELY), path)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
    return _regular(os.open(path, os.O_RDONLY | SAFELY), path)


def open_for_writing(path: Path) -> OpenFile:
    """Open a file that is created if need be; whatever else has its name is removed.

    Raises:
        OSError: It may not be written.
    """
    try:
        return _regular(os.open(path, os.O_RDWR | os.O_CREAT | SAFELY, 0o666), path)
    except OSError as error:
        if error.errno not in NOT_A_FILE:
            raise
    remove(path)
    return _regular(os.open(path, os.O_RDWR | os.O_CREAT | SAFELY, 0o666), path)


def own_folder(path: Path) -> None:
    """Create a folder if need be; whatever else has its name is removed, a link to a folder too."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        remove(path)
    path.mkdir(parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, as far as that is possible."""
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def say_damaged(folder: Path) -> None:
    """Say that something in a cache was wrong, once for each folder and process."""
    with _saying:
        if folder in _said:
            return
        _said.add(folder)
    log.warning(
        "some of what is kept in %s is damaged or gone; it is made again, which costs time and changes no "
        "result",
        folder,
    )


def _regular(handle: int, path: Path) -> OpenFile:
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return OpenFile(handle)
    os.close(handle)
    raise OSError(errno.ENXIO, "not a regular file", str(path))
