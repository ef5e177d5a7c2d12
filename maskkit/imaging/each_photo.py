"""Looking at each of many photos: in their order, and what was found is kept as it comes.

An interrupted run goes on from its progress file, whose blocks hold what was found in the first photos, one
row each. A row holds only while the photo is the same file: one that was mended or replaced since is looked
at again, and so is one that could not be used.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Generic, NamedTuple, TypeVar

import msgspec

from maskkit.artifacts.progress_file import ProgressFile
from maskkit.engines.engine import chosen
from maskkit.errors import reason
from maskkit.imaging.photo_file import threads_for
from maskkit.progress import track
from maskkit.storage.address import Address, PathOrAddress
from maskkit.storage.objects import state_of

log = logging.getLogger(__name__)

# Photos in a block: a second or some of work, which an interruption costs.
KEPT_EVERY = 1024
# A file that changed so recently may change again within the clock's tick, at the same size and times.
SETTLED = 2 * 10**9  # nanoseconds

State = tuple[int, int, int, int]  # of a file: size in bytes, mtime and ctime in nanoseconds, inode or tag
File = TypeVar("File", bound=PathOrAddress)


class Found(msgspec.Struct, array_like=True):
    """What was found in one photo."""

    fault: str | None = None  # why it cannot be used; such a photo may be mended, so this is never kept


Kind = TypeVar("Kind", bound=Found)


class KeptRow(msgspec.Struct, Generic[Kind], array_like=True):
    """What is kept of one photo; None for what does not hold for longer than the run."""

    state: State | None = None
    found: Kind | None = None


class Looks(Iterator[Kind]):
    """What is found in photos, in their order."""

    def __init__(self) -> None:
        self.found: Iterator[Kind] = iter(())
        self.opened = 0  # photos that were looked at by this run, so far; what is in others was kept

    def __next__(self) -> Kind:
        return next(self.found)


@contextmanager
def look_at_each(
    files: Iterable[File],
    look: Callable[[File], Kind],
    *,
    total: int,
    kind: type[Kind],
    kept: ProgressFile | None = None,
) -> Iterator[Looks[Kind]]:
    """Look at each photo, of which there are `total`; what is found, of a `kind`, comes in their order.

    Looks that were kept are taken from there, and new ones are added. A context, as those of an `Engine`.

    Raises:
        MaskkitError: What is kept is of a run with other options or inputs, or cannot be written.
    """
    keeps = kept is not None and kept.path is not None
    rows = repeat(None) if kept is None else _rows(kept, kind)
    looks: Looks[Kind] = Looks()
    waiting = iter(files)
    first = [*islice(waiting, 1)]
    each = zip(rows, chain(first, waiting), strict=False)
    with chosen().each(_Looking(look, keeps=keeps), each, threads=threads_for(first)) as results:
        looks.found = track(_keeping(results, looks, kept if keeps else None), total, "photos")
        yield looks


class _Look(NamedTuple, Generic[Kind]):
    found: Kind
    row: KeptRow[Kind] | None  # to be added to what is kept; None if there is one
    is_known: bool = False  # whether it was kept, and the photo not opened


@dataclass(frozen=True)
class _Looking(Generic[File, Kind]):
    """Looks at a photo, unless what is kept of it holds."""

    look: Callable[[File], Kind]
    keeps: bool  # whether what is found will be

    def __call__(self, given: tuple[KeptRow[Kind] | None, File]) -> _Look[Kind]:
        """Return what is in a photo, and what there is to do with that."""
        row, file = given
        state = _state(file) if self.keeps else None
        if row is not None and row.found is not None and state is not None and row.state == state:
            return _Look(row.found, None, is_known=True)
        found = self.look(file)
        if row is not None:  # that of a photo that has changed, whose place in the file is taken
            return _Look(found, None)
        return _Look(found, KeptRow() if state is None or found.fault is not None else KeptRow(state, found))


def _keeping(results: Iterator[_Look[Kind]], looks: Looks[Kind], kept: ProgressFile | None) -> Iterator[Kind]:
    """Pass on what is found, count photos, and write the rows to add block by block."""
    waiting: list[KeptRow[Kind]] = []
    for found, row, is_known in results:
        looks.opened += not is_known
        if kept is not None and row is not None:
            waiting.append(row)
            if len(waiting) == KEPT_EVERY:
                kept.append(msgspec.msgpack.encode(waiting))
                waiting.clear()
        yield found


def _state(file: PathOrAddress) -> State | None:
    """Say by what a file is known again, before it is read; None if it may change without a trace."""
    try:
        if isinstance(file, Address):
            size, tag = state_of(file)  # no content has the tag of another
            return size, 0, 0, tag
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
