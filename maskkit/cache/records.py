"""What is computed once and found again by a digest of what it was made from: a folder of stores.

Whatever becomes of that folder, a caller gets the records that its maker makes: a record that is damaged or
gone is made again when it is wanted, and written in its place if that is possible.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.cache.own_files import OpenFile, open_for_writing, remove, say_damaged
from maskkit.cache.store import (
    DATA,
    ENTRY,
    INDEX,
    Appender,
    Keys,
    Places,
    Store,
    StoreFiles,
    Values,
    as_arrow,
)
from maskkit.errors import MaskkitError, reason
from maskkit.options.values import as_bytes
from maskkit.progress import track
from maskkit.storage.address import is_address

log = logging.getLogger(__name__)

VARIABLE = "MASKKIT_CACHE"
CHUNK = 32 << 20  # bytes made, written and committed at a time: what an interruption can lose
SPARE = 1 << 30  # bytes of the disk that are left to others
TRIES = 3  # if the folder is deleted just when it is opened
OLD_INDEX = "keys"  # of stores as they were before records had checksums; they are removed to make room

Make = Callable[[NDArray[np.int64]], Values]  # (records,) -> (records, *shape)


def cache_folder(chosen: str | None = None) -> Path:
    """Return the folder chosen, or that of MASKKIT_CACHE, or the platform's own for caches."""
    named = chosen or os.environ.get(VARIABLE)
    if named and is_address(named):
        raise MaskkitError(
            f"the cache cannot be at {named}",
            why="it is read at random and written in place, as no object can be",
            fix=f"give a folder of this machine with --cache or {VARIABLE}",
        )
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "maskkit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskkit"


class Records(Protocol):
    """Arrays of one shape, in an order of the caller's."""

    @property
    def place(self) -> Places:
        """Where each is kept, (records,); -1 for one that could not be made."""

    def __len__(self) -> int: ...

    def take(self, rows: NDArray[np.int64]) -> Values:
        """Return a copy of these records, (rows, *shape)."""


@dataclass(frozen=True)
class RecordsInMemory:
    """Records that are in memory."""

    data: Values
    place: Places  # of each in `data`

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: NDArray[np.int64]) -> Values:
        """Return a copy of these records, (rows, *shape)."""
        taken: Values = self.data[self.place[rows]]
        return taken


@dataclass(frozen=True)
class StoredRecords:
    """Records in the files of a store, and what makes them should they be lost."""

    files: StoreFiles
    place: Places
    keys: Keys
    row: NDArray[np.int64]  # by which the maker knows each, (records,)
    make: Make

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: NDArray[np.int64]) -> Values:
        """Return a copy of these records, (rows, *shape); what is damaged or gone is made again.

        Threads may take some at the same time.
        """
        store = self.files.store
        taken = np.empty((len(rows), *store.shape), store.dtype)
        lost = self.files.read(self.place[rows], self.keys[rows], taken)
        if len(lost):
            taken[lost] = self._made_again(rows[lost])
        return taken

    def among(self, rows: NDArray[np.int64], count: int) -> StoredRecords:
        """Return `count` records of which these are those of `rows`; the others could not be made."""
        place, row = np.full(count, -1), np.full(count, -1)
        keys = np.zeros((count, self.keys.shape[1]), np.uint8)
        place[rows], keys[rows], row[rows] = self.place, self.keys, self.row
        return StoredRecords(self.files, place, keys, row, self.make)

    def _made_again(self, rows: NDArray[np.int64]) -> Values:
        """Make records again, (rows, *shape), and mend the store, unless it is written to or may not be."""
        say_damaged(self.files.folder)
        _, first, which = np.unique(self.place[rows], return_index=True, return_inverse=True)
        rows = rows[first]
        made = np.ascontiguousarray(self.make(self.row[rows]), self.files.store.dtype)
        with suppress(OSError), _locked(self.files.folder, is_waiting=False):
            self.files.mend(self.place[rows], self.keys[rows], made)
        again: Values = made[which]
        return again


@dataclass(frozen=True)
class Cache:
    """A folder of stores, bounded in size."""

    folder: Path  # holds a folder per store, and the lock that writers take; nothing else may be in it
    limit: int  # bytes of all stores together; the least recently used are removed to keep it

    @classmethod
    def at(cls, chosen: str | None, limit: int) -> Cache:
        """Return the cache in the folder that was chosen, or in the platform's."""
        return cls(cache_folder(chosen) / "records", limit)  # what is removed lies no higher

    def __reduce__(self) -> tuple[Callable[..., Cache], tuple[object, ...]]:
        """Be the cache of another host there: where its own environment says, unless a folder was chosen."""
        usual = Cache.at(None, self.limit)
        return (Cache.at, (None, self.limit)) if self == usual else (Cache, (self.folder, self.limit))

    def records(
        self,
        store: Store,
        keys: Keys,
        make: Make,
        *,
        failed: Container[int] = (),
        again: Make | None = None,
        what: str = "records",
    ) -> StoredRecords | None:
        """Return a record per key, making those that the store lacks.

        Processes that want them at the same time wait for each other, so that each record is made once.

        Equal keys, (records, 16), share a record. `make` returns new records for indices into them, a chunk
        at a time; it may add to `failed` the indices of those that it could not make: what it returns for
        them is thrown away, and their place is -1. `again`, or else `make`, is what later makes records that
        were lost, in any thread; it raises an error if it cannot. `what` names the work.

        Returns:
            None if they cannot be kept: there is no room, or the folder cannot be written. That is logged.
        """
        for _ in range(TRIES):
            try:
                files = self._filled(store, keys, make, failed, what)
            except OSError as error:
                why = error
                if isinstance(error, FileNotFoundError):  # somebody deletes it
                    continue
                break
            if files is None:
                return None
            files.used()
            return StoredRecords(files, files.find(keys), keys, np.arange(len(keys)), again or make)
        log.warning("going on without a cache in %s: %s", self.folder, reason(why))
        return None

    def absent(self, store: Store, keys: Keys) -> NDArray[np.bool_]:
        """Return which of the keys, (records, 16), have no record in a store, (records,)."""
        files = StoreFiles.found(self.folder, store)
        return np.ones(len(keys), np.bool_) if files is None else np.asarray(files.find(keys) < 0)

    def lacking(self, store: Store, keys: Keys) -> int:
        """Return how many of the keys, (records, 16), have no record in a store."""
        return int(self.absent(store, keys).sum())

    def _filled(
        self, store: Store, keys: Keys, make: Make, failed: Container[int], what: str
    ) -> StoreFiles | None:
        """Return the store's files with a record per key; None if there is no room."""
        files = StoreFiles.found(self.folder, store)
        if files is not None and (files.find(keys) >= 0).all():
            return files
        with _locked(self.folder):
            files = StoreFiles.found(self.folder, store)  # another process may have made them meanwhile
            lacking = np.ones(len(keys), np.bool_) if files is None else files.find(keys) < 0
            if files is not None and not lacking.any():
                return files
            if not _has_room(self, store, keys, lacking):
                return None
            return _append(StoreFiles.made(self.folder, store), keys, what, make, failed)


def _append(files: StoreFiles, keys: Keys, what: str, make: Make, failed: Container[int]) -> StoreFiles:
    """Make and write the records that are lacking, a chunk at a time."""
    absent = np.flatnonzero(files.find(keys) < 0)
    codes = as_arrow(keys[absent]).dictionary_encode().indices.to_numpy()
    absent = absent[np.unique(codes, return_index=True)[1]]  # equal photos once
    step = max(1, CHUNK // files.store.record_bytes)
    starts = range(0, len(absent), step)
    with Appender(files) as appender:  # the disk works while the next chunk is made
        for start in track(starts, len(absent), what, size=lambda start: len(absent[start : start + step])):
            rows = absent[start : start + step]
            made = make(rows)
            good = np.array([row not in failed for row in rows.tolist()], np.bool_)
            appender.add(keys[rows[good]], np.ascontiguousarray(made[good], files.store.dtype))
        return appender.result()


def _has_room(cache: Cache, store: Store, keys: Keys, lacking: NDArray[np.bool_]) -> bool:
    """Remove what is least recently used until the lacking records fit; under the writers' lock."""
    each, own = store.record_bytes + ENTRY.itemsize, cache.folder / store.name
    whole, needed = _distinct(keys) * each, _distinct(keys[lacking]) * each
    if whole > cache.limit:
        log.warning(
            "going on without a cache: it would take %s, and --cache-size is %s",
            as_bytes(whole), as_bytes(cache.limit),
        )  # fmt: skip
        return False
    stores = [path for path in cache.folder.iterdir() if _is_store(path)]
    sizes = {path: sum(file.lstat().st_size for file in path.iterdir()) for path in stores}
    # The own store last: it may hold records that this time are not wanted.
    for path in sorted(sizes, key=lambda path: (path == own, _last_used(path))):
        if sum(sizes.values()) + needed > cache.limit:
            remove(path)
            del sizes[path]
            needed = whole if path == own else needed
    free = shutil.disk_usage(cache.folder).free
    if needed + SPARE > free:
        log.warning(
            "going on without a cache: it would take %s, and %s has %s left",
            as_bytes(needed), cache.folder, as_bytes(free),
        )  # fmt: skip
        return False
    return True


def _distinct(keys: Keys) -> int:
    return int(pc.count_distinct(as_arrow(keys)).as_py())


def _is_store(path: Path) -> bool:
    """Whether a folder is a store, so that it may be removed: nothing else is in it."""
    if path.is_symlink() or not path.is_dir():
        return False
    inside = [*path.iterdir()]
    return {file.name for file in inside} <= {DATA, INDEX, OLD_INDEX} and any(map(Path.is_file, inside))


def _last_used(store: Path) -> int:
    return max((file.lstat().st_mtime_ns for file in store.iterdir()), default=0)


@contextmanager
def _locked(folder: Path, *, is_waiting: bool = True) -> Iterator[None]:
    """Hold the lock of those who write or remove records; raise an OSError if that is impossible.

    Readers need none. If it is not to be waited for, a lock that another holds is such an error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder, is_waiting=is_waiting)
    try:
        yield
    finally:
        fcntl.flock(lock.handle, fcntl.LOCK_UN)


def _lock(folder: Path, *, is_waiting: bool) -> OpenFile:
    while True:
        lock = open_for_writing(folder / "lock")
        try:
            fcntl.flock(lock.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_waiting:
                raise
            log.info("waiting for another maskkit that fills the cache in %s", folder)
            fcntl.flock(lock.handle, fcntl.LOCK_EX)
        if os.fstat(lock.handle).st_nlink:
            return lock  # else it was deleted while we waited, and others lock another file
