from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.header import Input, Record
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.errors import MaskkitError

RECORD = Record("predict", {"tta": "hflip", "batch_size": 64}, (Input("x.parquet", "a" * 64),))


def written(path: Path, *blocks: bytes) -> Path:
    with ProgressFile(path, RECORD) as kept:
        for block in blocks:
            kept.append(block)
    return path


def read(path: Path, record: Record = RECORD) -> list[bytes]:
    with ProgressFile(path, record) as kept:
        return list(kept.blocks())


def test_reads_back_every_block(tmp_path: Path) -> None:
    blocks = [b"one", bytes(range(256)), b"\n"]
    assert read(written(tmp_path / "kept", *blocks)) == blocks


def test_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "kept", b"one")
    with ProgressFile(path, RECORD) as kept:
        assert list(kept.blocks()) == [b"one"]
        kept.append(b"two")
    assert read(path) == [b"one", b"two"]


def test_there_is_no_file_before_there_is_a_block(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kept"
    with ProgressFile(path, RECORD) as kept:
        assert list(kept.blocks()) == []
        kept.append(b"")
        assert list(tmp_path.iterdir()) == []
        kept.append(b"one")
    assert read(path) == [b"one"]


def test_without_a_path_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ProgressFile(None, RECORD) as kept:
        assert list(kept.blocks()) == []
        kept.append(b"one")
    assert list(tmp_path.iterdir()) == []


@given(st.data())
def test_whatever_is_torn_off_its_end_only_whole_blocks_count(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    blocks = [b"0123456789", b"abc", b"x" * 50]
    path = written(tmp_path_factory.mktemp("torn") / "kept", *blocks)
    whole = path.read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length] + data.draw(st.sampled_from([b"", b"\0" * 40, b"\xff" * 40])))
    first = whole.index(b"\n") + 1
    if length < first and b"\xff" in path.read_bytes():
        return  # a line without an end, or of garbage
    with ProgressFile(path, RECORD) as kept:
        done = list(kept.blocks())
        assert done == blocks[: len(done)]
        kept.append(b"next")
    assert read(path) == [*done, b"next"]


def test_what_another_run_began_and_left_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    with ProgressFile(path, RECORD) as kept:
        assert list(kept.blocks()) == []
        written(path, b"one", b"two")
        kept.append(b"ONE")
    assert read(path) == [b"ONE"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(RECORD, options={**RECORD.options, "tta": "none"}), "tta was hflip, is none"),
        (replace(RECORD, inputs=(Input("x.parquet", "b" * 64),)), "an input file has other content"),
        (replace(RECORD, version="0"), "maskkit was"),
    ],
)
def test_refuses_what_another_run_left(tmp_path: Path, changed: Record, why: str) -> None:
    path = written(tmp_path / "kept", b"one")
    before = path.read_bytes()
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        read(path, changed)
    assert why in caught.value.why
    assert "--force" in caught.value.fix
    assert path.read_bytes() == before


def test_another_place_of_the_same_input_does_not_matter(tmp_path: Path) -> None:
    moved = replace(RECORD, inputs=(Input("elsewhere/x.parquet", "a" * 64),))
    assert read(written(tmp_path / "kept", b"one"), moved) == [b"one"]


def test_a_file_of_something_else_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"ImageID,ans\na.jpg,1\n")
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        read(tmp_path / "kept")
    assert "not a resume file" in caught.value.why


def test_two_runs_never_write_the_same_file(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "kept", RECORD) as first:
        first.append(b"one")
        with pytest.raises(MaskkitError, match="is being written by another run"):
            read(tmp_path / "kept")
        with pytest.raises(MaskkitError, match="is being written by another run"):
            written(tmp_path / "kept", b"two")
    assert read(tmp_path / "kept") == [b"one"]


def test_each_block_is_on_the_disk_and_the_name_of_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    written(tmp_path / "kept", b"one", b"two")
    assert synced == ["file", "folder", "file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    path = written(tmp_path / "kept", b"one")
    with ProgressFile(path, RECORD) as kept:
        list(kept.blocks())
        assert kept.file is not None
        with Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), kept.file.fileno())
        with pytest.raises(MaskkitError, match="cannot write") as caught:
            kept.append(b"two")
    assert "--resume" in caught.value.fix
    assert read(path) == [b"one"]
