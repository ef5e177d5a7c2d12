from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskkit.artifacts.header import Input, Record
from maskkit.errors import MaskkitError
from maskkit.predicting.progress_file import HEAD, ProgressFile

RECORD = Record("predict", {"tta": "hflip", "batch_size": 64}, (Input("x.parquet", "a" * 64),))
SUMS = np.random.default_rng(0).random((10, 3))


def written(path: Path, *parts: list[int], every: int = 1) -> Path:
    with ProgressFile(path, RECORD, every=every) as kept:
        for part in parts:
            kept.add(np.array(part), SUMS[part])
    return path


def read(path: Path, record: Record = RECORD) -> tuple[NDArray[np.float64], list[int]]:
    sums = np.zeros_like(SUMS)
    with ProgressFile(path, record, every=1) as kept:
        done = kept.read(sums)
    return sums, np.flatnonzero(done).tolist()


def test_reads_back_every_row_to_the_last_bit(tmp_path: Path) -> None:
    sums, done = read(written(tmp_path / "kept", [3, 1], [9], [4, 5, 6]))
    assert done == [1, 3, 4, 5, 6, 9]
    assert np.array_equal(sums[done], SUMS[done])
    assert not sums[[0, 2, 7, 8]].any()


def test_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "kept", [0, 1])
    with ProgressFile(path, RECORD, every=1) as kept:
        kept.read(np.zeros_like(SUMS))
        kept.add(np.array([2]), SUMS[[2]])
    assert read(path)[1] == [0, 1, 2]


def test_there_is_no_file_before_there_are_rows_enough(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "new" / "kept", RECORD, every=4) as kept:
        kept.add(np.array([0, 1, 2]), SUMS[:3])
        assert list(tmp_path.iterdir()) == []
        kept.add(np.array([3]), SUMS[[3]])
    assert read(tmp_path / "new" / "kept")[1] == [0, 1, 2, 3]


def test_without_a_path_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ProgressFile(None, RECORD, every=1) as kept:
        assert not kept.read(np.zeros_like(SUMS)).any()
        kept.add(np.array([0]), SUMS[:1])
        kept.write()
    assert list(tmp_path.iterdir()) == []


@given(st.data())
def test_whatever_is_torn_off_its_end_only_whole_blocks_count(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("torn") / "kept", [0, 1], [2], [3, 4])
    whole = path.read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length] + data.draw(st.sampled_from([b"", b"\0" * 40, b"\xff" * 40])))
    first = whole.index(b"\n") + 1
    if length < first and b"\xff" in path.read_bytes():
        return  # a line without an end, or of garbage
    sums, done = read(path)
    assert done in ([], [0, 1], [0, 1, 2])
    assert np.array_equal(sums[done], SUMS[done])
    with ProgressFile(path, RECORD, every=1) as kept:
        kept.read(np.zeros_like(SUMS))
        kept.add(np.array([7]), SUMS[[7]])
    assert read(path)[1] == [*done, 7]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(RECORD, options={**RECORD.options, "tta": "none"}), "tta was hflip, is none"),
        (replace(RECORD, inputs=(Input("x.parquet", "b" * 64),)), "an input file has other content"),
        (replace(RECORD, version="0"), "maskkit was"),
    ],
)
def test_refuses_what_another_run_left(tmp_path: Path, changed: Record, why: str) -> None:
    path = written(tmp_path / "kept", [0])
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        read(path, changed)
    assert why in caught.value.why
    assert "--force" in caught.value.fix


def test_another_place_of_the_same_input_does_not_matter(tmp_path: Path) -> None:
    moved = replace(RECORD, inputs=(Input("elsewhere/x.parquet", "a" * 64),))
    assert read(written(tmp_path / "kept", [0]), moved)[1] == [0]


def test_a_file_of_something_else_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"ImageID,ans\na.jpg,1\n")
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        read(tmp_path / "kept")
    assert "not a resume file" in caught.value.why


def test_two_runs_never_write_the_same_file(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "kept", RECORD, every=1) as first:
        first.add(np.array([0]), SUMS[:1])
        with pytest.raises(MaskkitError, match="is being written by another run"):
            read(tmp_path / "kept")
    assert read(tmp_path / "kept")[1] == [0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "kept").symlink_to("/dev/full")
    with (
        ProgressFile(tmp_path / "kept", RECORD, every=1) as kept,
        pytest.raises(MaskkitError, match="cannot write") as caught,
    ):
        kept.add(np.array([0]), SUMS[:1])
    assert "--resume" in caught.value.fix


@pytest.mark.parametrize(
    ("rows", "sums"),
    [
        ([10], [[0.5] * 3]),  # there are 10 rows, from 0
        ([-1], [[0.5] * 3]),
        ([2**62], [[0.5] * 3]),
        ([1], [[0.5, np.nan, 0.5]]),
        ([1], [[0.5] * 2]),  # of 2 classes
        ([1, 2, 3], [[0.5] * 2] * 3),
    ],
)
def test_a_block_of_other_rows_or_classes_is_refused(
    tmp_path: Path, rows: list[int], sums: list[list[float]]
) -> None:
    data = np.array(rows, "<i8").tobytes() + np.array(sums, "<f8").tobytes()
    path = written(tmp_path / "kept", [0])
    path.write_bytes(path.read_bytes() + HEAD.pack(len(data), zlib.crc32(data)) + data)
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        read(path)
    assert "not of these rows and classes" in caught.value.why
