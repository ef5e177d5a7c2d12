"""Records of one shape, one behind the other in a file, each with a checksum that tells whether it is whole.

A store is a folder with `data`, the records, and `index`, an entry for each in the same order: its key and a
checksum of store, key and record. Nothing else is believed: a record whose checksum is another, for whatever
reason, is lost, and so is one that cannot be read. The checksum is compared each time that a record is read,
not only the first: a store that is damaged or filled anew while somebody reads it gives no wrong record.
That takes some 1.5 % of an epoch's loading (benchmarks/loading.py).
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from stringzilla import hash as checksum_of

from maskkit.cache.own_files import OpenFile, open_for_reading, open_for_writing, own_folder, say_damaged

KEY_BYTES = 16
ENTRY = np.dtype([("key", np.uint8, KEY_BYTES), ("checksum", "<u8")])
DATA, INDEX = "data", "index"
ODD = np.uint64(0x9E3779B97F4A7C15)  # a product by it can be undone: no two keys of one half share a seed

Keys = NDArray[np.uint8]  # (records, KEY_BYTES)
Values = NDArray[Any]  # (records, *shape)
Places = NDArray[np.int64]  # in a store's files, (records,); -1 for a record that is not there


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

    @cached_property
    def _seed(self) -> int:
        return int(checksum_of(f"{self.name} {self.shape} {self.dtype.str}".encode()))

    def seeds(self, keys: Keys) -> list[int]:
        """Return a number for each key, with which the checksum of its record begins."""
        first, second = np.ascontiguousarray(keys).view("<u8").T
        mixed: list[int] = (first ^ second * ODD ^ np.uint64(self._seed)).tolist()
        return mixed


@dataclass(frozen=True)
class StoreFiles:
    """The files of a store, which are open: they can be read whatever becomes of their folder."""

    store: Store
    folder: Path  # of the cache, as it is named when something is wrong
    data: OpenFile
    index: OpenFile
    entries: NDArray[np.void]  # of all records, (stored,)

    @classmethod
    def found(cls, cache: Path, store: Store) -> StoreFiles | None:
        """Open the files of a store for reading; None if there are none that may be read."""
        place = cache / store.name
        try:
            data, index = (open_for_reading(place / name) for name in (DATA, INDEX))
        except OSError:
            return None
        return cls(store, cache, data, index, _entries(store, cache, data, index))

    @classmethod
    def made(cls, cache: Path, store: Store) -> StoreFiles:
        """Open the files of a store for writing, after creating what is not there; under the writers' lock.

        Raises:
            OSError: They may not be written, or are deleted meanwhile.
        """
        place = cache / store.name
        own_folder(place)
        data, index = (open_for_writing(place / name) for name in (DATA, INDEX))
        return cls(store, cache, data, index, _entries(store, cache, data, index))

    def find(self, keys: Keys) -> Places:
        """Return where the records of these keys are, -1 where there are none."""
        stored = np.ascontiguousarray(self.entries["key"])
        found = pc.fill_null(pc.index_in(as_arrow(keys), value_set=as_arrow(stored)), -1)
        return np.asarray(found.to_numpy(), np.int64)

    def read(self, places: Places, keys: Keys, taken: Values) -> NDArray[np.int64]:
        """Read records into `taken`, (records, *shape); return which of them are lost, indices into it."""
        size, lost = self.store.record_bytes, list[int]()
        if len(taken):
            flat = taken.data.cast("B")
            known = self.entries["checksum"][places].tolist(), self.store.seeds(keys)
            for number, (place, checksum, seed) in enumerate(zip(places.tolist(), *known, strict=True)):
                record = flat[number * size : (number + 1) * size]
                if not self.data.read_into(record, place * size) or checksum_of(record, seed) != checksum:
                    lost.append(number)
        return np.array(lost, np.int64)

    def used(self) -> None:
        """Note that the store is in use: the least recently used are the first to be removed."""
        with suppress(OSError):
            os.utime(self.index.handle)

    def append(self, entries: NDArray[np.void], values: Values, start: int) -> None:
        """Write records at a place, and their entries once they are on the disk, or raise an OSError."""
        self.data.write(values.tobytes(), start * self.store.record_bytes)
        os.fsync(self.data.handle)
        self.index.write(entries.tobytes(), start * ENTRY.itemsize)

    def mend(self, places: Places, keys: Keys, values: Values) -> None:
        """Write records in place of lost ones; under the writers' lock.

        A place that belongs to another record by now is left to it.
        """
        entries = entries_of(self.store, keys, values)
        self.entries["checksum"][places] = entries["checksum"]  # should it be the entry that was damaged
        for place, entry, value in zip(places.tolist(), entries, values, strict=True):
            key = self.index.read(place * ENTRY.itemsize, KEY_BYTES)
            if key == entry["key"].tobytes() or not any(key):
                self.data.write(value.tobytes(), place * self.store.record_bytes)
                self.index.write(entry.tobytes(), place * ENTRY.itemsize)


@dataclass
class Appender:
    """Adds records behind those of a store, while the next ones are made; under the writers' lock."""

    files: StoreFiles
    _added: list[NDArray[np.void]] = field(default_factory=list)
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _written: Future[None] | None = None

    def __enter__(self) -> Appender:
        """Cut off what an interrupted writer left behind."""
        stored, files = len(self.files.entries), self.files
        os.ftruncate(files.data.handle, stored * files.store.record_bytes)
        os.ftruncate(files.index.handle, stored * ENTRY.itemsize)
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown()

    def add(self, keys: Keys, values: Values) -> None:
        """Begin to write records, once those before are written; what went wrong with these is raised."""
        entries = entries_of(self.files.store, keys, values)
        start = len(self.files.entries) + sum(map(len, self._added))
        self.wait()
        self._written = self._writer.submit(self.files.append, entries, values, start)
        self._added.append(entries)

    def wait(self) -> None:
        """Wait until all is written, or raise the OSError that prevented it."""
        if self._written is not None:
            self._written.result()

    def result(self) -> StoreFiles:
        """Return the files with all that was added, once it is written."""
        self.wait()
        files = self.files
        entries = np.concatenate([files.entries, *self._added])
        return StoreFiles(files.store, files.folder, files.data, files.index, entries)


def entries_of(store: Store, keys: Keys, values: Values) -> NDArray[np.void]:
    """Return the entries of records, (records,); their values, (records, *shape), are in one piece."""
    entries = np.zeros(len(keys), ENTRY)
    if len(keys):
        flat, size = values.data.cast("B"), store.record_bytes
        entries["key"] = keys
        entries["checksum"] = [
            checksum_of(flat[number * size : (number + 1) * size], seed)
            for number, seed in enumerate(store.seeds(keys))
        ]
    return entries


def as_arrow(keys: Keys) -> pa.Array:
    """Return keys as Arrow's fixed binaries."""
    flat = pa.py_buffer(np.ascontiguousarray(keys))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(KEY_BYTES), len(keys), [None, flat])


def _entries(store: Store, cache: Path, data: OpenFile, index: OpenFile) -> NDArray[np.void]:
    """Read the entries of all records that may be there, (stored,)."""
    listed, held = index.size // ENTRY.itemsize, data.size // store.record_bytes
    if listed > held:  # an interrupted writer leaves data without an entry, never an entry without data
        say_damaged(cache)
    read = index.read(0, min(listed, held) * ENTRY.itemsize)
    return np.frombuffer(read, ENTRY).copy()
