"""Rows that are finished, kept beside an output while others are still being predicted.

A file of one line of JSON, the record of the run, and blocks behind it. A block says how many bytes it
holds and their checksum, and holds the rows' numbers and sums. Blocks are appended, never changed, so
whatever interrupts the writer, a reader finds whole ones, and the torn end of the last is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.header import Record
from maskkit.artifacts.history import damaged, refuse_other_run
from maskkit.errors import MaskkitError
from maskkit.typed_json import MOST_BYTES, decoded

HEAD = struct.Struct("<QI")  # bytes of a block, their checksum

Rows = NDArray[np.int64]
Sums = NDArray[np.float64]


class ProgressFile:
    """The rows of a run that are finished, as far as its file knows them and as they come; a context.

    Once `every` rows are gathered, they are written; without a path nothing is kept.
    """

    def __init__(self, path: Path | None, record: Record, *, every: int) -> None:
        self.path, self.record, self.every = path, record, every
        self.file: BinaryIO | None = None  # made with the first rows: a short run that is stopped leaves none
        self.waiting: list[tuple[Rows, Sums]] = []

    def read(self, sums: Sums) -> NDArray[np.bool_]:
        """Fill in the sums of rows that an earlier run finished, (rows, C); return which they are, (rows,).

        Raises:
            MaskkitError: The file is of a run with other options or inputs, or another run has it.
        """
        done = np.zeros(len(sums), np.bool_)
        if self.path is None or not self.path.exists():
            return done
        self.file = file = _opened(self.path)
        first, end = file.readline(MOST_BYTES), 0
        if first.endswith(b"\n"):  # else stopped before the first row
            refuse = partial(damaged, self.path)
            theirs = Record.from_json(decoded(first, dict[str, Any], refuse), refuse)
            refuse_other_run(self.path, "prediction", theirs, self.record)
            end, width = file.tell(), 1 + sums.shape[1]  # numbers of a row
            for data in _blocks(file):
                count, rest = divmod(len(data), 8 * width)
                rows = np.frombuffer(data, "<i8", count)
                values = np.frombuffer(data, "<f8", count * (width - 1), offset=8 * count)
                if rest or np.isnan(values).any() or not ((rows >= 0) & (rows < len(sums))).all():
                    raise refuse("a block of it is not of these rows and classes")
                sums[rows] = values.reshape(count, -1)
                done[rows] = True
                end = file.tell()
        file.seek(end)
        file.truncate()
        return done

    def add(self, rows: Rows, sums: Sums) -> None:
        """Remember the sums of these rows, (N, C), and write them once there are enough."""
        if self.path is None or not len(rows):
            return
        self.waiting.append((rows, sums))
        if sum(len(rows) for rows, _ in self.waiting) >= self.every:
            self.write()

    def write(self) -> None:
        """Write what waits, and see that it is on the disk.

        Raises:
            MaskkitError: It cannot be written.
        """
        if self.path is None or not self.waiting:
            return
        data = np.concatenate([rows for rows, _ in self.waiting]).astype("<i8").tobytes()
        data += np.concatenate([sums for _, sums in self.waiting]).astype("<f8").tobytes()
        self.waiting.clear()
        try:
            self.file = file = self.file or _opened(self.path)
            if not file.tell():
                file.write(json.dumps(self.record.to_json()).encode() + b"\n")
            file.write(HEAD.pack(len(data), zlib.crc32(data)) + data)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise MaskkitError(
                f"cannot write {self.path}",
                why=f"{(error.strerror or str(error)).lower()}; it keeps what is finished for --resume",
                fix="free some space, and go on with --resume",
            ) from error

    def __enter__(self) -> ProgressFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            with suppress(OSError):  # of a full disk, which `write` has reported
                self.file.close()


def _opened(path: Path) -> BinaryIO:
    """Open the file to read and append, alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    file = path.open("r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise MaskkitError(
            f"{path} is being written by another run",
            why="both would predict the same photos",
            fix="wait for it, or use another -o",
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
