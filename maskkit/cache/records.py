"""Arrays of one shape in one memory-mapped file, found by a digest of what they were made from.

A store is a folder with `data`, the records one behind the other, and `keys`, a digest per record in
the same order. Records are appended, never changed; one counts once its key is written, which happens
after its data is on the disk. So whatever interrupts a writer, readers see whole records only.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.options.values import as_bytes
from maskkit.progress import track

log = logging.getLogger(__name__)

VARIABLE = "MASKKIT_CACHE"
KEY_BYTES = 16
CHUNK = 32 << 20  # bytes made, written and committed at a time: what an interruption can lose
SPARE = 1 << 30  # bytes of the disk that are left to others

Keys = NDArray[np.uint8]  # (records, KEY_BYTES)
Make = Callable[[NDArray[np.int64]], NDArray[np.generic]]  # (records,) -> (records, *shape)


def cache_folder(chosen: str | None = None) -> Path:
    """Return the folder chosen, or that of MASKKIT_CACHE, or the platform's own for caches."""
    named = chosen or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "maskkit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskkit"


@dataclass(frozen=True)
class Store:
    """Records of one kind; the name must tell everything that they depend on beside their keys."""

    name: str
    shape: tuple[int, ...]  # of one record
    dtype: np.dtype[np.generic]

    @property
    def record_bytes(self) -> int:
        """What one record takes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


@dataclass(frozen=True)
class Records:
    """Some records of a store, in an order of the caller's."""

    data: NDArray[np.generic]  # all records of the store, (stored, *shape), mapped: reading it reads the file
    place: NDArray[np.int64]  # of each record wanted, (records,); -1 for one that could not be made

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.generic]:
        """Return a copy of these records, (rows, *shape)."""
        taken: NDArray[np.generic] = self.data[self.place[rows]]
        return taken


@dataclass(frozen=True)
class Cache:
    """A folder of stores, bounded in size."""

    folder: Path  # holds a folder per store, and the lock that writers take; nothing else may be in it
    limit: int  # bytes of all stores together; the least recently used are removed to keep it

    @classmethod
    def at(cls, chosen: str | None, limit: int) -> Cache:
        """Return the cache in the folder that was chosen, or in the platform's."""
        return cls(cache_folder(chosen) / "records", limit)  # what is removed lies no higher

    def records(
        self, store: Store, keys: Keys, make: Make, *, failed: Container[int] = (), what: str = "records"
    ) -> Records | None:
        """Return a record per key, making those that the store lacks.

        Processes that want them at the same time wait for each other, so that each record is made once.

        Equal keys, (records, 16), share a record. `make` returns new records for indices into them, a chunk
        at a time; it may add to `failed` the indices of those that it could not make: what it returns for
        them is thrown away, and their place is -1. `what` names the work.

        Returns:
            None if they cannot be kept: there is no room, or the folder cannot be written. That is logged.
        """
        layout = _Layout(self.folder / store.name, store)
        try:
            with _locked(self.folder, fcntl.LOCK_SH):
                found = layout.find(keys)
            if (found.place < 0).any():
                with _locked(self.folder, fcntl.LOCK_EX):
                    found = layout.find(keys)  # another process may have made them while we waited
                    if (found.place < 0).any():
                        if not _has_room(self, layout, keys, found):
                            return None
                        layout.append(keys, what, make, failed)
                        found = layout.find(keys)
            with suppress(OSError):
                os.utime(layout.folder / "keys")  # which says when the store was used
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            log.warning("going on without a cache in %s: %s", self.folder, why)
            return None
        return found


@dataclass(frozen=True)
class _Layout:
    folder: Path
    store: Store

    def keys(self) -> Keys:
        """Return the keys of all records, (stored, 16); those without whole data do not count."""
        try:
            data = np.fromfile(self.folder / "keys", np.uint8)
            held = (self.folder / "data").stat().st_size // self.store.record_bytes
        except FileNotFoundError:
            return np.empty((0, KEY_BYTES), np.uint8)
        return data[: min(len(data) // KEY_BYTES, held) * KEY_BYTES].reshape(-1, KEY_BYTES)

    def find(self, keys: Keys) -> Records:
        """Return where the keys' records are, -1 where there are none."""
        stored = self.keys()
        place = pc.fill_null(pc.index_in(_arrow(keys), value_set=_arrow(stored)), -1)
        if not len(stored):
            data = np.empty((0, *self.store.shape), self.store.dtype)
        else:
            shape = (len(stored), *self.store.shape)
            data = np.memmap(self.folder / "data", self.store.dtype, "r", shape=shape)
        return Records(data, place.to_numpy().astype(np.int64))

    def append(self, keys: Keys, what: str, make: Make, failed: Container[int]) -> None:
        """Make and write the records that are lacking, a chunk at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        stored = len(self.keys())
        absent = np.flatnonzero(self.find(keys).place < 0)
        codes = _arrow(keys[absent]).dictionary_encode().indices.to_numpy()
        absent = absent[np.unique(codes, return_index=True)[1]]  # equal photos once
        step = max(1, CHUNK // self.store.record_bytes)
        starts = range(0, len(absent), step)
        with (
            (self.folder / "data").open("ab") as data,
            (self.folder / "keys").open("ab") as index,
            ThreadPoolExecutor(1) as writer,  # the disk works while the next chunk is made
        ):
            data.truncate(stored * self.store.record_bytes)  # what an interrupted writer left behind
            index.truncate(stored * KEY_BYTES)
            written = writer.submit(lambda: None)
            for start in track(starts, len(starts), what):
                rows = absent[start : start + step]
                made = make(rows)
                good = np.array([row not in failed for row in rows.tolist()], np.bool_)
                made, rows = np.ascontiguousarray(made[good], self.store.dtype), rows[good]
                written.result()
                written = writer.submit(_commit, data, made, index, keys[rows])
            written.result()


def _commit(data: BinaryIO, made: NDArray[np.generic], index: BinaryIO, keys: Keys) -> None:
    """Write records, and their keys once they are on the disk."""
    data.write(made.tobytes())
    data.flush()
    os.fsync(data.fileno())
    index.write(keys.tobytes())
    index.flush()


def _arrow(keys: Keys) -> pa.Array:
    flat = pa.py_buffer(np.ascontiguousarray(keys))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(KEY_BYTES), len(keys), [None, flat])


def _has_room(cache: Cache, layout: _Layout, keys: Keys, found: Records) -> bool:
    """Remove what is least recently used until the lacking records fit; under the writers' lock."""
    each = layout.store.record_bytes + KEY_BYTES
    whole, needed = _distinct(keys) * each, _distinct(keys[found.place < 0]) * each
    if whole > cache.limit:
        log.warning(
            "going on without a cache: it would take %s, and --cache-size is %s",
            as_bytes(whole), as_bytes(cache.limit),
        )  # fmt: skip
        return False
    stores = [path.parent for path in cache.folder.glob("*/keys")]
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in stores}
    # The own store last: it may hold records that this time are not wanted.
    for path in sorted(sizes, key=lambda path: (path == layout.folder, (path / "keys").stat().st_mtime)):
        if sum(sizes.values()) + needed > cache.limit:
            shutil.rmtree(path)
            del sizes[path]
            needed = whole if path == layout.folder else needed
    free = shutil.disk_usage(cache.folder).free
    if needed + SPARE > free:
        log.warning(
            "going on without a cache: it would take %s, and %s has %s left",
            as_bytes(needed), cache.folder, as_bytes(free),
        )  # fmt: skip
        return False
    return True


def _distinct(keys: Keys) -> int:
    return int(pc.count_distinct(_arrow(keys)).as_py())


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the folder's lock: shared by readers, or alone while records are written or removed."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another maskkit that fills the cache in %s", folder)
            fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)  # which unlocks
