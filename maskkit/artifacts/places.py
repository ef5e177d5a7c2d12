"""Folders that files are written into, and names in them that may be taken."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError, reason

# What file systems without hard links say, such as those of memory cards.
NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
AT_FDCWD, RENAME_NOREPLACE = -100, 1  # of linux/fcntl.h and linux/fs.h
NAME_KEPT = 50  # characters; file systems take names of 255 bytes, and a sibling's is longer


def made(folder: Path) -> list[Path]:
    """Make a folder, and those above it, on the disk; return which were missing, the lowest first."""
    work_begins()
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)
    return missing


def real_place(path: Path) -> Path:
    """Return where a file is written: a symbolic link stays one, and what it leads to is replaced."""
    return Path(os.path.realpath(path))


def sync_folder(folder: Path) -> None:
    """See that a folder's names are on the disk, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # of some network file systems
            raise
    finally:
        os.close(handle)


def take_name(source: Path, target: Path) -> None:
    """Give a file a name if that is free; raise a FileExistsError if not."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_onto_nothing(source, target)
    else:
        os.unlink(source)  # noqa: PTH108 - seen beside link, which pathlib turns round


def _rename_onto_nothing(source: Path, target: Path) -> None:
    """Rename a file if the name is free, where there are no hard links.

    Without the system call for it, another process may take the name between the look and the rename.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_NOREPLACE):
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), str(target))
    if os.path.lexists(target):
        raise FileExistsError(target)
    os.replace(source, target)  # noqa: PTH105 - as above


def cannot_write(path: Path, error: OSError) -> MaskkitError:
    """Return the error of a file that the file system does not take."""
    return MaskkitError(
        f"cannot write {path}",
        why=f"{reason(error)}; what was there before is unchanged",
        fix="free some space or use another -o",
    )
