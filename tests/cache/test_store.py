"""Whatever becomes of the files of a store, who takes records gets what the maker makes."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.cache import own_files
from maskkit.cache import records as module
from maskkit.cache.records import Cache, StoredRecords
from maskkit.cache.store import Keys, Store

STORE = Store("store", (4, 3), np.dtype(np.uint8))
COUNT = 3
EVERY = np.arange(COUNT)


class Maker:
    """Makes records that follow from their keys, and remembers for which."""

    def __init__(self, keys: Keys) -> None:
        self.keys, self.made = keys, list[int]()

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return (self.keys[rows, :12] * 7 + 3).reshape(-1, 4, 3)

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.made += rows.tolist()
        return self.values(rows)


@pytest.fixture
def maker() -> Maker:
    return Maker(np.random.default_rng(0).integers(0, 256, (COUNT, 16), np.uint8))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setattr(module, "SPARE", 0)
    monkeypatch.setattr(own_files, "_said", set())
    return Cache(tmp_path / "cache", 10_000)


@pytest.fixture
def folder(cache: Cache) -> Path:
    return cache.folder / "store"


def filled(cache: Cache, maker: Maker) -> StoredRecords:
    records = cache.records(STORE, maker.keys, maker)
    assert records is not None
    maker.made.clear()
    return records


def check(records: StoredRecords | None, maker: Maker) -> list[int]:
    """Take the records, and return which were made for that."""
    assert records is not None
    assert np.array_equal(records.take(EVERY), maker.values(EVERY))
    made = maker.made.copy()
    maker.made.clear()
    return made


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    with path.open("r+b") as file:  # in place: who has it open sees it
        file.write(data)


@pytest.mark.parametrize(("name", "size"), [("data", 36), ("index", 72)])
def test_no_flipped_bit_changes_a_record_and_each_is_mended(
    cache: Cache, folder: Path, maker: Maker, name: str, size: int
) -> None:
    for bit in range(8 * size):
        records = filled(cache, maker)
        assert (folder / name).stat().st_size == size
        flip(folder / name, bit)
        made = check(records, maker)
        assert made == ([bit // 96] if name == "data" else [])
        check(cache.records(STORE, maker.keys, maker), maker)
        assert check(cache.records(STORE, maker.keys, maker), maker) == []
        if name == "index":  # a key that is none takes place
            shutil.rmtree(folder)


def test_a_checksum_that_was_damaged_before_is_put_right(cache: Cache, folder: Path, maker: Maker) -> None:
    filled(cache, maker)
    flip(folder / "index", 8 * 16)
    records = cache.records(STORE, maker.keys, maker)
    assert [check(records, maker), check(records, maker)] == [[0], []]
    assert check(cache.records(STORE, maker.keys, maker), maker) == []


def test_records_that_changed_places_are_made_again(cache: Cache, folder: Path, maker: Maker) -> None:
    for name, each in (("data", 12), ("index", 24)):
        records = filled(cache, maker)
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[each : 2 * each] + whole[:each] + whole[2 * each :])
        made = check(records, maker), check(cache.records(STORE, maker.keys, maker), maker)
        assert [sorted(each) for each in made] == ([[0, 1], []] if name == "data" else [[], [0, 1]])


def test_keys_that_changed_places_give_nobody_the_others_record(
    cache: Cache, folder: Path, maker: Maker
) -> None:
    filled(cache, maker)
    for part in (slice(0, 8), slice(8, 16), slice(0, 16)):  # of the keys; checksums stay where they are
        entries = np.frombuffer((folder / "index").read_bytes(), np.uint8).reshape(COUNT, 24).copy()
        entries[[0, 1], part] = entries[[1, 0], part]
        (folder / "index").write_bytes(entries.tobytes())
        other = Maker(entries[:, :16].copy())
        check(cache.records(STORE, other.keys, other), other)
        shutil.rmtree(folder)
        filled(cache, maker)


def test_the_files_of_another_store_are_not_taken_for_its_own(
    cache: Cache, folder: Path, maker: Maker
) -> None:
    filled(cache, maker)
    other = cache.records(replace(STORE, name="other"), maker.keys, lambda rows: 1 + maker.values(rows))
    assert other is not None
    for name in ("data", "index"):
        shutil.copy(cache.folder / "other" / name, folder / name)
    assert check(cache.records(STORE, maker.keys, maker), maker) == [0, 1, 2]


def removed(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def by_a_folder(path: Path) -> None:
    removed(path)
    path.mkdir()
    (path / "file").write_bytes(b"inside")


def by_a_pipe(path: Path) -> None:
    removed(path)
    os.mkfifo(path)


def by_a_link_to_nothing(path: Path) -> None:
    removed(path)
    path.symlink_to("nowhere")


def by_zeros(path: Path) -> None:
    removed(path)
    path.write_bytes(bytes(1000))


def shortened(path: Path) -> None:
    if path.is_file():
        os.truncate(path, path.stat().st_size // 2)
    else:
        removed(path)


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (damage, name)
        for damage in (removed, by_a_folder, by_a_pipe, by_a_link_to_nothing, by_zeros, shortened)
        for name in ("store/data", "store/index", "store", "lock")
    ]
    + [(removed, ".")],  # whatever else has the name of the whole cache may be somebody's, and is left alone
)
def test_files_may_be_deleted_replaced_or_shortened_while_they_are_read_and_between(
    cache: Cache, maker: Maker, damage: Callable[[Path], None], name: str
) -> None:
    records = filled(cache, maker)
    damage(cache.folder / name)
    check(records, maker)
    check(cache.records(STORE, maker.keys, maker), maker)
    assert check(cache.records(STORE, maker.keys, maker), maker) == []


@pytest.mark.parametrize("name", ["data", "index"])
def test_what_a_link_leads_to_is_neither_read_nor_written(
    cache: Cache, folder: Path, maker: Maker, tmp_path: Path, name: str
) -> None:
    filled(cache, maker)
    precious = tmp_path / "precious"
    (folder / name).replace(precious)
    content = precious.read_bytes()
    (folder / name).symlink_to(precious)
    assert check(cache.records(STORE, maker.keys, maker), maker) == [0, 1, 2]
    assert precious.read_bytes() == content
    assert not (folder / name).is_symlink()


def test_a_store_that_is_a_link_is_replaced_and_what_it_leads_to_is_left(
    cache: Cache, folder: Path, maker: Maker, tmp_path: Path
) -> None:
    filled(cache, maker)
    folder.replace(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "index").write_bytes(b"somebody's")
    folder.symlink_to(tmp_path / "elsewhere")
    assert check(cache.records(STORE, maker.keys, maker), maker) == [0, 1, 2]
    assert (tmp_path / "elsewhere" / "index").read_bytes() == b"somebody's"


@pytest.mark.parametrize("name", ["store/data", "store/index", "store", "lock", "."])
def test_deleting_it_while_it_fills_changes_nothing(
    cache: Cache, maker: Maker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(module, "CHUNK", 12)

    def make(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        if (cache.folder / name).exists():
            removed(cache.folder / name)
        return maker(rows)

    records = cache.records(STORE, maker.keys, make)
    assert maker.made == [0, 1, 2]
    maker.made.clear()
    assert check(records, maker) == []


def test_a_store_that_was_emptied_and_filled_with_others_gives_no_wrong_record(
    cache: Cache, folder: Path, maker: Maker
) -> None:
    records = filled(cache, maker)
    check(records, maker)
    for name in ("data", "index"):
        os.truncate(folder / name, 0)
    other = Maker(np.random.default_rng(1).integers(0, 256, (COUNT, 16), np.uint8))
    theirs = filled(cache, other)
    assert check(records, maker) == [0, 1, 2]
    assert check(theirs, other) == []  # their places are theirs now


def test_damage_is_said_once_and_names_the_folder(
    cache: Cache, folder: Path, maker: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    records = filled(cache, maker)
    with caplog.at_level(logging.WARNING):
        for bit in (0, 100):
            flip(folder / "data", bit)
            assert len(check(records, maker)) == 1
    [message] = caplog.messages
    assert f"some of what is kept in {cache.folder} is damaged or gone" in message


def test_data_without_what_its_index_lists_is_said(
    cache: Cache, folder: Path, maker: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    filled(cache, maker)
    os.truncate(folder / "data", 13)
    assert check(cache.records(STORE, maker.keys, maker), maker) == [1, 2]
    assert "is damaged or gone" in caplog.text


def test_a_folder_that_is_deleted_just_when_it_is_opened_is_created_again(
    cache: Cache, folder: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, deleted = own_files.own_folder, list[Path]()

    def then_delete(path: Path) -> None:
        inner(path)
        if not deleted:
            deleted.append(path)
            shutil.rmtree(cache.folder)

    monkeypatch.setattr("maskkit.cache.store.own_folder", then_delete)
    assert check(cache.records(STORE, maker.keys, maker), maker) == [0, 1, 2]
    assert deleted == [folder]


def test_what_is_no_store_is_not_removed_to_make_room(cache: Cache, folder: Path, maker: Maker) -> None:
    somebodys = [
        cache.folder / "album" / "data" / "photo",
        cache.folder / "notes" / "letter",
        cache.folder / "x",
    ]
    old = cache.folder / "pixels" / "keys"  # as stores were before records had checksums
    for path in (*somebodys, old.parent / "index" / "file", old.parent / "data", old):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
    (cache.folder / "notes" / "data").touch()
    small = Cache(cache.folder, 150)
    assert check(small.records(STORE, maker.keys, maker), maker) == [0, 1, 2]
    assert [path.exists() for path in somebodys] == [True] * 3
    assert not old.parent.exists()


def test_damage_in_a_cache_that_may_only_be_read_costs_time_each_time(
    cache: Cache, folder: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cache, maker)
    inner = os.open

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return inner(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    records = cache.records(STORE, maker.keys, maker)
    assert check(records, maker) == []
    flip(folder / "data", 0)
    assert check(records, maker) == [0]
    assert check(records, maker) == [0]


def test_a_store_that_another_process_writes_to_is_mended_later(
    cache: Cache, folder: Path, maker: Maker
) -> None:
    records = filled(cache, maker)
    flip(folder / "data", 0)
    with (cache.folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert check(records, maker) == [0]
    assert check(records, maker) == [0]
    assert check(records, maker) == []


def test_a_lock_that_was_deleted_while_it_was_waited_for_is_not_taken(
    cache: Cache, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cache, maker)
    path = cache.folder / "lock"
    with path.open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)

        def delete(*_: object) -> None:
            path.unlink()
            fcntl.flock(first, fcntl.LOCK_UN)

        monkeypatch.setattr(module.log, "info", delete)  # what is said before it waits
        with module._locked(cache.folder), path.open() as second, pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_costs_time_only(
    cache: Cache,
    folder: Path,
    maker: Maker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = filled(cache, maker)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    flip(folder / "data", 0)
    assert check(records, maker) == [0]
    shutil.rmtree(folder)
    with caplog.at_level(logging.WARNING):
        assert cache.records(STORE, maker.keys, maker) is None
    assert f"going on without a cache in {cache.folder}: no space left on device" in caplog.text
    monkeypatch.undo()
    maker.made.clear()
    monkeypatch.setattr(module, "SPARE", 0)
    assert check(cache.records(STORE, maker.keys, maker), maker) == [0, 1, 2]


def test_short_reads_and_writes_are_gone_on_with(
    cache: Cache, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.preadv, os.pwrite
    monkeypatch.setattr(os, "preadv", lambda handle, views, start: read(handle, [views[0][:5]], start))
    monkeypatch.setattr(os, "pwrite", lambda handle, data, start: write(handle, data[:5], start))
    assert check(filled(cache, maker), maker) == []
    assert check(cache.records(STORE, maker.keys, maker), maker) == []


def test_a_sector_that_cannot_be_read_is_made_again(
    cache: Cache, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, read = filled(cache, maker), os.preadv

    def bad(handle: int, views: list[memoryview], start: int) -> int:
        if start == 12:
            raise OSError(errno.EIO, "Input/output error")
        return read(handle, views, start)

    monkeypatch.setattr(os, "preadv", bad)
    assert check(records, maker) == [1]


def test_what_cannot_be_made_again_is_an_error(cache: Cache, folder: Path, maker: Maker) -> None:
    def gone(_: NDArray[np.int64]) -> NDArray[np.uint8]:
        raise ValueError("the photo is gone too")

    records = cache.records(STORE, maker.keys, maker, again=gone)
    assert check(records, maker) == [0, 1, 2]
    flip(folder / "data", 0)
    with pytest.raises(ValueError, match="gone too"):
        check(records, maker)


def test_a_record_that_is_wanted_twice_is_made_again_once(cache: Cache, folder: Path, maker: Maker) -> None:
    records = filled(cache, maker)
    flip(folder / "data", 100)
    assert np.array_equal(records.take(np.array([1, 0, 1])), maker.values(np.array([1, 0, 1])))
    assert maker.made == [1]
