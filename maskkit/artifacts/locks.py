"""One run at a time for each output: a lock beside it, which ends with the process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from maskkit.artifacts.places import NAME_KEPT, cannot_write, made
from maskkit.dry_run import is_dry
from maskkit.errors import MaskkitError
from maskkit.plain_text import printable
from maskkit.stopping import undoing
from maskkit.storage.address import Address, PathOrAddress

log = logging.getLogger(__name__)

SUFFIX = ".lock"
MOST_BYTES = 1000  # that are read of who holds a lock


@contextmanager
def held(path: PathOrAddress) -> Iterator[None]:
    """Hold the lock of an output; a context for the whole run that writes it and what lies beside it.

    The lock is a file beside it that says who holds it, and is removed at the end, with folders that were
    made for it and are empty; one that a killed process left is nobody's.

    Raises:
        MaskkitError: Another process holds it, or the folder cannot be written.
    """
    if isinstance(path, Address):
        if not is_dry():
            log.warning("%s cannot be locked, as no object can: let no other run write it", path)
        yield
        return
    place = Path(os.path.realpath(path))
    lock = place.with_name(f".{_short(place.name)}{SUFFIX}")
    if is_dry():
        _refuse_locked(lock, path)
        yield
        return
    folders: list[Path] = []

    def acquire() -> int:
        folders.extend(made(lock.parent))
        return _acquired(lock, path)

    def release(handle: int) -> None:
        with suppress(OSError):
            lock.unlink()
            for folder in folders:  # in which nothing was written
                folder.rmdir()
        os.close(handle)  # which unlocks

    try:
        handle, forget = undoing(acquire, release)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with suppress(OSError):  # a full disk costs the name only
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(_holder()).encode(), 0)
        yield
    finally:
        forget()
        release(handle)


def _refuse_locked(lock: Path, path: Path) -> None:
    """Raise if another process holds a lock, and leave it and its file as they are."""
    with suppress(OSError):
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(lock, path, handle) from None
        finally:
            os.close(handle)


def _short(name: str) -> str:
    """Return a name that leaves room for a suffix, and that no other file has."""
    if len(name) <= NAME_KEPT:
        return name
    return f"{name[:NAME_KEPT]}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _acquired(lock: Path, path: Path) -> int:
    """Return the handle of a locked file that still has its name."""
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(handle, lock):
                return handle  # else its last holder has removed it in between
        except BlockingIOError:
            try:
                raise _taken(lock, path, handle) from None
            finally:
                os.close(handle)
        except OSError as error:  # some network file systems have none
            log.warning("%s cannot be locked (%s): let no other run write it", path, error.strerror)
            return handle
        os.close(handle)


def _taken(lock: Path, path: Path, handle: int) -> MaskkitError:
    return MaskkitError(
        f"{path} is being made by another run",
        why=f"{_who(handle)} holds {lock}, and both would write the same files",
        fix="wait for it, or use another -o",
    )


def _is_named(handle: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False


def _holder() -> dict[str, object]:
    return {"process": os.getpid(), "host": socket.gethostname(), "user": os.getuid()}


def _who(handle: int) -> str:
    """Say who holds a lock, as far as its file tells."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        told = json.loads(os.pread(handle, MOST_BYTES, 0))
        process, user, host = int(told["process"]), int(told["user"]), str(told["host"])[:NAME_KEPT]
        return f"process {process} of user {user} on {printable(host)}"
    return "another process"
