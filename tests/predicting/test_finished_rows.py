from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.artifacts.header import Input, Record
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.errors import MaskkitError
from maskkit.predicting.finished_rows import FinishedRows

RECORD = Record("predict", {"tta": "hflip"}, (Input("x.parquet", "a" * 64),))
SUMS = np.random.default_rng(0).random((10, 3))


def written(path: Path, *parts: list[int], every: int = 1) -> Path:
    with ProgressFile(path, RECORD) as file:
        finished = FinishedRows(file, every=every)
        for part in parts:
            finished.add(np.array(part, np.int64), SUMS[part])
    return path


def read(path: Path) -> tuple[NDArray[np.float64], list[int]]:
    sums = np.zeros_like(SUMS)
    with ProgressFile(path, RECORD) as file:
        done = FinishedRows(file, every=1).read(sums)
    return sums, np.flatnonzero(done).tolist()


def test_reads_back_every_row_to_the_last_bit(tmp_path: Path) -> None:
    sums, done = read(written(tmp_path / "kept", [3, 1], [9], [4, 5, 6]))
    assert done == [1, 3, 4, 5, 6, 9]
    assert np.array_equal(sums[done], SUMS[done])
    assert not sums[[0, 2, 7, 8]].any()


def test_writes_once_there_are_rows_enough(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "kept", RECORD) as file:
        finished = FinishedRows(file, every=4)
        finished.add(np.array([0, 1, 2]), SUMS[:3])
        assert list(tmp_path.iterdir()) == []
        finished.add(np.array([3]), SUMS[[3]])
        finished.add(np.array([4]), SUMS[[4]])
    assert read(tmp_path / "kept")[1] == [0, 1, 2, 3]


def test_what_waits_can_be_written_at_the_end(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "kept", RECORD) as file:
        finished = FinishedRows(file, every=4)
        finished.write()
        assert list(tmp_path.iterdir()) == []
        finished.add(np.array([7]), SUMS[[7]])
        finished.write()
        finished.write()
    assert read(tmp_path / "kept")[1] == [7]


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
    with ProgressFile(tmp_path / "kept", RECORD) as file:
        file.append(np.array(rows, "<i8").tobytes() + np.array(sums, "<f8").tobytes())
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        read(tmp_path / "kept")
    assert "not of these rows and classes" in caught.value.why
