"""What is finished of a run, kept beside its output while the rest is still being worked on.

A file of one line of JSON, the record of the run, and blocks behind it. A block says how many bytes it
holds and their checksum. Blocks are appended, never changed, so whatever interrupts the writer, a reader
finds whole ones, and the torn end of the last is cut off. What the bytes mean is the affair of the stage, but
for blocks that name a digest: of an output that the run may replace, or has made.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from maskkit.artifacts.header import Record
from maskkit.artifacts.history import damaged, refuse_other_run
from maskkit.artifacts.places import made, sync_folder
from maskkit.dry_run import is_dry, work_begins
from maskkit.errors import MaskkitError, reason
from maskkit.storage.address import PathOrAddress
from maskkit.typed_json import MOST_BYTES, decoded

HEAD = struct.Struct("<QI")  # bytes of a block, their checksum
SUFFIX = ".resume"  # behind the name of the output
DIGEST = b"output sha256 "  # in front of the digest of an output, in a block


class ProgressFile:
    """The blocks that runs of one record have finished; a context, in which nobody else has the file.

    Without a path nothing is kept. `replaces` are the sha256 of outputs that the run may replace by force, as
    may whatever goes on with it.
    """

    def __init__(self, path: Path | None, record: Record, *, replaces: Sequence[str] = ()) -> None:
        self.path, self.record, self.replaces = path, record, replaces
        # Made with the first block: a short run that is stopped leaves none.
        self.file: BinaryIO | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield what an earlier run has finished, block by block; then cut off what was torn.

        Raises:
            MaskkitError: The file is of a run with other options or inputs, or another run has it.
        """
        if self.path is None or not self.path.exists():
            return
        self.file = file = _opened(self.path)
        first, end = file.readline(MOST_BYTES), 0
        if first.endswith(b"\n"):  # else stopped before the first block
            theirs = Record.from_json(decoded(first, dict[str, Any], self.damaged), self.damaged)
            refuse_other_run(self.path, f"run of {self.record.stage}", theirs, self.record)
            end = file.tell()
            for data in _blocks(file):
                if not data.startswith(DIGEST):
                    yield data
                end = file.tell()
        if not is_dry():
            file.seek(end)
            file.truncate()

    def append(self, data: bytes) -> None:
        """Write a block behind the others, and see that it is on the disk; nothing is kept of no bytes.

        Raises:
            MaskkitError: It cannot be written, or another run has the file.
        """
        if self.path is None or not data:
            return
        work_begins()
        try:
            if self.file is None:
                self.file = _opened(self.path)
                self.file.truncate(0)  # of another run that has begun and died since this one began
            file, is_new = self.file, not self.file.tell()
            if is_new:
                file.write(json.dumps(self.record.to_json()).encode() + b"\n")
                file.writelines(map(_digest_block, filter(None, self.replaces)))
            file.write(_block(data))
            file.flush()
            os.fsync(file.fileno())
            if is_new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise _cannot_keep(self.path, error) from error

    def damaged(self, why: str) -> MaskkitError:
        """Return the error of a file that no run can have left."""
        return damaged(self.path or Path(), why)

    def __enter__(self) -> ProgressFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            with suppress(OSError):  # of a full disk, which `append` has reported
                self.file.close()


def progress_path(output: PathOrAddress) -> Path | None:
    """Return where the progress of a run is kept that makes an output; None for one at an address.

    Progress is appended to, and locked, which no object can be.
    """
    return output.with_name(output.name + SUFFIX) if isinstance(output, Path) else None


def begun_anew(path: Path | None) -> Path | None:
    """Throw away what is kept there; return the path, but None in a dry run, which leaves it."""
    if path is None or is_dry():
        return None
    path.unlink(missing_ok=True)
    return path


def outputs_known(path: Path | None) -> frozenset[str]:
    """Return the sha256 of outputs that the run of a progress file may replace or has made."""
    found = set[str]()
    if path is None:
        return frozenset()
    with suppress(OSError), path.open("rb") as file:
        file.readline(MOST_BYTES)
        told = [data.removeprefix(DIGEST) for data in _blocks(file) if data.startswith(DIGEST)]
        found = {one.decode("ascii", "replace") for one in told}
    return frozenset(found)


def note_output(path: Path | None, sha256: str) -> None:
    """Note in a progress file, if there is one, what is about to be published; a context must have closed it.

    Raises:
        MaskkitError: It cannot be written.
    """
    try:
        if path is not None and path.exists():
            with path.open("ab") as file:
                file.write(_digest_block(sha256))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise _cannot_keep(path or Path(), error) from error


def _digest_block(sha256: str) -> bytes:
    return _block(DIGEST + sha256.encode())


def _block(data: bytes) -> bytes:
    return HEAD.pack(len(data), zlib.crc32(data)) + data


def _cannot_keep(path: Path, error: OSError) -> MaskkitError:
    return MaskkitError(
        f"cannot write {path}",
        why=f"{reason(error)}; it keeps what is finished for --resume",
        fix="free some space, and go on with --resume",
    )


def _opened(path: Path) -> BinaryIO:
    """Open the file to read and append, alone."""
    if not is_dry():
        made(path.parent)
        path.touch()
    file = path.open("r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise MaskkitError(
            f"{path} is being written by another run",
            why="both would look at the same photos",
            fix="wait for it, or use another output",
        ) from None
    except OSError:
        pass  # some network file systems have no locks
    return file


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield what whole blocks hold."""
    size = os.fstat(file.fileno()).st_size
    while len(head := file.read(HEAD.size)) == HEAD.size:
        length, checksum = HEAD.unpack(head)
        data = file.read(length) if length <= size else b""
        # A file system may leave zeros after a crash, which name no bytes and their right checksum.
        if not length or len(data) < length or zlib.crc32(data) != checksum:
            return
        yield data
