from __future__ import annotations

import logging
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.cache import records as module
from maskkit.cache.records import Cache, StoredRecords
from maskkit.cache.store import Keys, Store

SHAPE = (4, 3)
STORE = Store("store", SHAPE, np.dtype(np.uint8))


def keys_of(*numbers: int) -> Keys:
    return np.array([[number] * 16 for number in numbers], np.uint8).reshape(-1, 16)


class Maker:
    """Makes records that hold their key's number, and remembers for which."""

    def __init__(self, keys: Keys) -> None:
        self.keys, self.made = keys, list[int]()

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        numbers = self.keys[rows, 0]
        self.made += numbers.tolist()
        return np.broadcast_to(numbers[:, None, None], (len(rows), *SHAPE)).astype(np.uint8)


def ask(cache: Cache, *numbers: int, store: str = "store") -> tuple[StoredRecords | None, list[int]]:
    maker = Maker(keys_of(*numbers))
    found = cache.records(replace(STORE, name=store), maker.keys, maker)
    if found is not None:
        taken = found.take(np.arange(len(numbers)))
        assert taken.shape == (len(numbers), *SHAPE)
        assert taken[:, 0, 0].tolist() == list(numbers)
        assert (taken == taken[:, :1, :1]).all()
    return found, maker.made


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setattr(module, "SPARE", 0)
    return Cache(tmp_path / "cache", 10_000)


def test_makes_each_record_once_and_finds_it_again(cache: Cache) -> None:
    assert ask(cache, 1, 2, 3)[1] == [1, 2, 3]
    assert ask(cache, 3, 1)[1] == []
    assert ask(cache, 4, 2, 5)[1] == [4, 5]


def test_equal_keys_share_a_record(cache: Cache) -> None:
    found, made = ask(cache, 7, 7, 8, 7)
    assert made == [7, 8]
    assert found is not None
    assert len(found.files.entries) == 2


def test_stores_do_not_mix(cache: Cache) -> None:
    ask(cache, 1, store="one")
    assert ask(cache, 1, store="two")[1] == [1]


def test_makes_a_chunk_at_a_time(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3 * 12)
    sizes: list[int] = []

    def make(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        sizes.append(len(rows))
        return np.zeros((len(rows), *SHAPE), np.uint8)

    cache.records(STORE, keys_of(*range(8)), make)
    assert sizes == [3, 3, 2]


@pytest.mark.parametrize("torn", ["index", "data"])
def test_what_an_interrupted_writer_left_behind_does_not_count(cache: Cache, torn: str) -> None:
    ask(cache, 1, 2)
    with (cache.folder / "store" / torn).open("ab") as file:
        file.write(b"half a")
    assert ask(cache, 1, 2, 3)[1] == [3]
    assert ask(cache, 3, 2, 1)[1] == []


def test_a_key_without_its_data_does_not_count(cache: Cache) -> None:
    ask(cache, 1, 2, 3)
    data = cache.folder / "store" / "data"
    data.write_bytes(data.read_bytes()[:20])  # of 36
    assert ask(cache, 1, 2, 3)[1] == [2, 3]
    data.unlink()
    assert ask(cache, 1, 2)[1] == [1, 2]


def test_a_failure_keeps_what_was_made_before(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 12)
    maker = Maker(keys_of(1, 2, 3))

    def fail(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        if rows[0] == 2:
            raise ValueError("a photo that is none")
        return maker(rows)

    with pytest.raises(ValueError, match="a photo that is none"):
        cache.records(STORE, maker.keys, fail)
    assert ask(cache, 1, 2, 3)[1] == [3]


def test_the_least_recently_used_store_makes_room(cache: Cache) -> None:
    small = Cache(cache.folder, 200)  # records of 12 bytes with entries of 24: three of them take 108
    ask(small, 1, 2, store="old")
    ask(small, 1, 2, store="new")
    for age, name in ((200, "old"), (100, "new")):
        for file in (small.folder / name).iterdir():
            os.utime(file, (time.time() - age,) * 2)
    ask(small, 1, 2, 3, store="third")
    assert {path.name for path in small.folder.iterdir() if path.is_dir()} == {"new", "third"}


def test_a_store_begins_again_rather_than_outgrow_the_limit(cache: Cache) -> None:
    small = Cache(cache.folder, 140)
    ask(small, 1, 2, 3)
    assert ask(small, 3, 4)[1] == [3, 4]
    assert ask(small, 1)[1] == [1]


def test_readers_keep_what_they_have_when_it_is_removed(cache: Cache) -> None:
    small = Cache(cache.folder, 140)
    found, _ = ask(small, 1, 2, 3, store="one")
    ask(small, 4, 5, 6, store="two")
    assert not (small.folder / "one").exists()
    assert found is not None
    assert found.take(np.array([2]))[0, 0, 0] == 3


def test_what_cannot_fit_is_said_and_nothing_is_removed(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    small = Cache(cache.folder, 100)
    ask(small, 1, store="other")
    with caplog.at_level(logging.WARNING):
        found, made = ask(small, *range(20))
    assert (found, made) == (None, [])
    assert "it would take 720 B, and --cache-size is 100 B" in caplog.text
    assert ask(small, 1, store="other")[1] == []


def test_a_disk_that_is_nearly_full_is_left_alone(
    cache: Cache, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPARE", 1 << 60)
    assert ask(cache, 1) == (None, [])
    assert "has" in caplog.text
    assert "left" in caplog.text


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert ask(Cache(tmp_path / "file" / "cache", 10_000), 1) == (None, [])
    assert "going on without a cache" in caplog.text


def _fill(folder: Path, first: int, log: Path) -> None:
    class Slow(Maker):
        def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
            time.sleep(0.01)
            return super().__call__(rows)

    module.CHUNK = 12
    maker = Slow(keys_of(*range(first, first + 20)))
    found = Cache(folder, 10_000).records(STORE, maker.keys, maker)
    assert found is not None
    assert found.take(np.arange(20))[:, 0, 0].tolist() == list(range(first, first + 20))
    log.write_text(" ".join(map(str, maker.made)))


def test_processes_that_fill_it_at_once_make_each_record_once(cache: Cache, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    cases = [(first, tmp_path / f"log{first}") for first in (0, 5, 10)]
    processes = [spawn.Process(target=_fill, args=(cache.folder, first, log)) for first, log in cases]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    made = [int(number) for _, log in cases for number in log.read_text().split()]
    assert sorted(made) == list(range(30))


def test_what_could_not_be_made_is_not_kept_and_is_tried_again(cache: Cache) -> None:
    maker, failed = Maker(keys_of(1, 2, 3, 2)), set[int]()

    def make(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        failed.update(row for row in rows.tolist() if maker.keys[row, 0] == 2)
        return maker(rows)

    found = cache.records(STORE, maker.keys, make, failed=failed)
    assert found is not None
    assert (found.place >= 0).tolist() == [True, False, True, False]
    assert ask(cache, 1, 2, 3)[1] == [2]


def test_a_key_is_written_once_its_data_is_on_the_disk(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut after the key and before the data would leave a record that is lost."""
    each = 300  # records per chunk
    monkeypatch.setattr(module, "CHUNK", each * STORE.record_bytes)
    folder, synced, fsync = cache.folder / "store", list[tuple[int, int]](), os.fsync

    def note(handle: int) -> None:
        assert os.path.samestat(os.fstat(handle), (folder / "data").stat())
        fsync(handle)
        synced.append(((folder / "data").stat().st_size, (folder / "index").stat().st_size))

    monkeypatch.setattr(os, "fsync", note)
    keys = np.random.default_rng(0).integers(0, 256, (3 * each, 16), np.uint8)
    assert Cache(cache.folder, 10**6).records(STORE, keys, Maker(keys)) is not None
    assert synced == [(number * each * 12, (number - 1) * each * 24) for number in (1, 2, 3)]
    assert (folder / "index").stat().st_size == 3 * each * 24
