"""Looking at each of many photos: on all cores, in their order, and what was found is kept as it comes.

An interrupted run goes on from its progress file, whose blocks hold what was found in the first photos, one
row each. A row holds only while the photo is the same file: one that was mended or replaced since is looked
at again, and so is one that could not be used.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from maskkit.artifacts.progress_file import ProgressFile
from maskkit.errors import reason
from maskkit.progress import track

log = logging.getLogger(__name__)

PIECE = 4  # what a thread works on before it takes the next: taking costs as much as hashing a small photo
MOST_AHEAD = 1024  # pieces worked on while the first of them, maybe a huge photo, is not done
# Photos in a block: a second or some of work, which an interruption costs.
KEPT_EVERY = 1024
# A file that changed so recently may change again within the clock's tick, at the same size and times.
SETTLED = 2 * 10**9  # nanoseconds

Item = TypeVar("Item")
Result = TypeVar("Result")
State = tuple[int, int, int, int]  # of a file: size in bytes, mtime and ctime in nanoseconds, inode


class Found(msgspec.Struct, array_like=True):
    """What was found in one photo."""

    fault: str | None = None  # why it cannot be used; such a photo may be mended, so this is never kept


Kind = TypeVar("Kind", bound=Found)


class KeptRow(msgspec.Struct, Generic[Kind], array_like=True):
    """What is kept of one photo; None for what does not hold for longer than the run."""

    state: State | None = None
    found: Kind | None = None


@contextmanager
def on_all_cores(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Iterator[Result]]:
    """Work on each item in a thread; the results come in the items' order, as does the first error.

    A context: at its end, however it comes, threads finish the item they are at and no other. NumPy, OpenCV
    and Pillow compute outside the interpreter's lock.
    """
    stopped = threading.Event()

    def work_on(piece: list[Item]) -> list[Result]:
        return [work(item) for item in piece if not stopped.is_set()]

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield _in_order(pool, work_on, iter(items))
    finally:
        stopped.set()
        pool.shutdown()  # what is ahead finds that it is stopped


def _in_order(
    pool: ThreadPoolExecutor, work_on: Callable[[list[Item]], list[Result]], items: Iterator[Item]
) -> Iterator[Result]:
    ahead: deque[Future[list[Result]]] = deque()
    while True:
        while len(ahead) < MOST_AHEAD and (piece := list(islice(items, PIECE))):
            ahead.append(pool.submit(work_on, piece))
        if not ahead:
            return
        yield from ahead.popleft().result()


@contextmanager
def look_at_each(
    files: Iterable[Path],
    look: Callable[[Path], Kind],
    *,
    total: int,
    kind: type[Kind],
    kept: ProgressFile | None = None,
) -> Iterator[Iterator[Kind]]:
    """Look at each photo, of which there are `total`; what is found, of a `kind`, comes in their order.

    Looks that were kept are taken from there, and new ones are added. A context, as `on_all_cores`.

    Raises:
        MaskkitError: What is kept is of a run with other options or inputs, or cannot be written.
    """
    keeps = kept is not None and kept.path is not None

    def look_at(given: tuple[KeptRow[Kind] | None, Path]) -> tuple[Kind, KeptRow[Kind] | None]:
        """Return what is in a photo, and the row to add for it, if there was none."""
        row, file = given
        state = _state(file) if keeps else None
        if row is not None and row.found is not None and state is not None and row.state == state:
            return row.found, None
        found = look(file)
        if row is not None:  # that of a photo that has changed, whose place in the file is taken
            return found, None
        return found, KeptRow() if state is None or found.fault is not None else KeptRow(state, found)

    rows = repeat(None) if kept is None else _rows(kept, kind)
    with on_all_cores(look_at, zip(rows, files, strict=False)) as looks:
        yield track(_keeping(looks, kept if keeps else None), total, "photos")


def _keeping(looks: Iterator[tuple[Kind, KeptRow[Kind] | None]], kept: ProgressFile | None) -> Iterator[Kind]:
    """Pass on what is found, and write the rows to add block by block."""
    waiting: list[KeptRow[Kind]] = []
    for found, row in looks:
        if kept is not None and row is not None:
            waiting.append(row)
            if len(waiting) == KEPT_EVERY:
                kept.append(msgspec.msgpack.encode(waiting))
                waiting.clear()
        yield found


def _state(file: Path) -> State | None:
    """Say by what a file is known again, before it is read; None if it may change without a trace."""
    try:
        status = os.stat(file)  # noqa: PTH116 - pathlib takes three times as long
    except (OSError, ValueError):  # there is none, or none can have this name
        return None
    if time.time_ns() - status.st_ctime_ns <= SETTLED:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _rows(kept: ProgressFile, kind: type[Kind]) -> Iterator[KeptRow[Kind] | None]:
    """Yield what is kept of the first photos, and None for all that follow."""
    decoder, count = msgspec.msgpack.Decoder(list[KeptRow[kind]]), 0  # type: ignore[valid-type]
    for block in kept.blocks():
        try:
            rows = decoder.decode(block)
        except ValueError as error:  # of msgspec, and of texts that are not UTF-8
            raise kept.damaged(f"a block of it is not of photos: {reason(error)}") from error
        count += len(rows)
        yield from rows
    if count:
        log.info("resumed %s after %d photos", kept.path, count)
    yield from repeat(None)
