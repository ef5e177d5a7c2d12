"""Folders that files are written into."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from maskkit.errors import MaskkitError, reason

NAME_KEPT = 50  # characters; file systems take names of 255 bytes, and a sibling's is longer


def made(folder: Path) -> list[Path]:
    """Make a folder, and those above it, on the disk; return which were missing, the lowest first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)
    return missing


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


def cannot_write(path: Path, error: OSError) -> MaskkitError:
    """Return the error of a file that the file system does not take."""
    return MaskkitError(
        f"cannot write {path}",
        why=f"{reason(error)}; what was there before is unchanged",
        fix="free some space or use another -o",
    )
