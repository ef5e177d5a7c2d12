from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.shard_parts import joined, named, place_rows
from maskkit.errors import MaskkitError
from maskkit.options.shard import Shard
from maskkit.stages.label import label

Made = Callable[..., list[Source]]


@pytest.fixture(scope="module")
def made(train_csv: Path) -> Made:
    """Makes the parts of a division into so many."""

    def parts(count: int, *, no_check: bool = False) -> list[Source]:
        shards = (Shard(one, count) for one in range(1, count + 1))
        each = (label(train_csv, shard=shard, no_check=no_check) for shard in shards)
        return [Source(f"p{one}of{count}", manifest.to_bytes()) for one, manifest in enumerate(each, 1)]

    return parts


def test_a_folder_or_a_pattern_is_read_as_the_whole(made: Made, train_csv: Path, tmp_path: Path) -> None:
    whole = label(train_csv).to_bytes().to_pybytes()
    for one in made(3):
        (tmp_path / f"{one.name}.parquet").write_bytes(one.data.to_pybytes())
    for name in (tmp_path, tmp_path / "p?of3.parquet"):
        assert Source.open(name).data.to_pybytes() == whole
        assert len(Manifest.read(name)) == 168


def test_a_folder_of_other_things_is_none_of_parts(train_csv: Path, tmp_path: Path) -> None:
    assert named(tmp_path) is None
    label(train_csv).write(tmp_path / "whole.parquet")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    assert named(tmp_path) is None
    assert named(tmp_path / "*.csv") is None
    (tmp_path / "a[b].parquet").write_bytes(b"")
    assert named(tmp_path / "a[b].parquet") is None


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ((0, 2), "of 3 parts, 1 are not there: 2"),
        ((0, 1, 1, 2), "p2of3 and p2of3 are both part 2/3"),
    ],
)
def test_all_parts_are_needed_once(made: Made, chosen: tuple[int, ...], says: str) -> None:
    parts = made(3)
    with pytest.raises(MaskkitError, match=re.escape(says)):
        joined([parts[one] for one in chosen])


def test_parts_of_two_divisions_or_two_runs_are_refused(made: Made) -> None:
    first, second = made(2)
    with pytest.raises(MaskkitError, match=r"p2of3 is part 2/3, and p1of2 1/2"):
        joined([first, made(3)[1]])
    with pytest.raises(MaskkitError, match="parts of different runs") as caught:
        joined([first, made(2, no_check=True)[1]])
    assert caught.value.why == "no_check was False, is True"
    assert joined([second, first]).equals(joined([first, second]))


def test_a_whole_is_no_part(train_csv: Path) -> None:
    with pytest.raises(MaskkitError, match="a is no part of anything"):
        joined([Source("a", label(train_csv).to_bytes())])


def test_a_part_that_lost_a_row_is_noticed(made: Made) -> None:
    first, second = made(2)
    part = Manifest.read(second)
    short = replace(part, table=part.table.slice(1), source=None)
    with pytest.raises(MaskkitError, match="p1of2 has a damaged maskkit header") as caught:
        joined([first, Source("b", short.to_bytes())])
    assert caught.value.why == "no part holds row 84 of the whole"


def test_a_part_alone_says_so(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    Manifest.read(made(2)[1])
    assert "p2of2 is part 2/2: the other parts' rows are not in it" in caplog.text


def test_columns_of_parts_are_not_overwritten() -> None:
    with pytest.raises(MaskkitError, match="there is a column shard_row already"):
        place_rows(pa.table({"shard_row": [1]}), np.array([0]))
