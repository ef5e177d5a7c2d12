from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from local_places import here

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.errors import MaskkitError
from maskkit.imaging.surveyed import SurveyedPhotos, surveyed, surveys_of
from maskkit.options.shard import Shard
from maskkit.stages.label import label
from maskkit.stages.split import split


@pytest.fixture
def spoilt(folds: Manifest, tmp_path: Path) -> Manifest:
    """One of whose photos is missing, one broken, and one cut off behind what is needed."""
    shutil.copytree(here(folds.root), tmp_path / "images")
    given = Manifest.read(Source("folds.parquet", folds.to_bytes())).located(root=str(tmp_path / "images"))
    files = [tmp_path / "images" / path for path in given.paths]
    files[100].unlink()
    files[101].write_bytes(b"no photo")
    files[102].write_bytes(files[102].read_bytes() + b"more")
    return given


def read(data: pa.Buffer, name: str = "x") -> SurveyedPhotos:
    return SurveyedPhotos.read(Source(name, data))


@pytest.mark.parametrize("half", [False, True])
def test_a_survey_that_was_written_is_what_looking_at_the_photos_finds(spoilt: Manifest, half: bool) -> None:
    (seen,) = surveys_of([spoilt], half=half)
    (known,) = surveys_of([spoilt], half=half, known=[read(surveyed(spoilt, half=half).to_bytes())])
    assert known.properties.tobytes() == seen.properties.tobytes()
    assert (known.faults, known.complaints, known.scale) == (seen.faults, seen.complaints, seen.scale)
    assert set(known.faults) == {100, 101}


def test_any_manifest_of_the_photos_takes_it_in_its_own_order(folds: Manifest, labels: Manifest) -> None:
    known = [read(surveyed(labels).to_bytes())]
    backwards = folds.select(np.arange(len(folds))[::-1][:50])
    (seen,), (found,) = surveys_of([backwards]), surveys_of([backwards], known=known)
    assert found.properties.tobytes() == seen.properties.tobytes()


def test_each_of_two_sets_takes_its_own_whatever_their_order(folds: Manifest, info_csv: Path) -> None:
    test = label(info_csv)
    known = [read(surveyed(one).to_bytes()) for one in (test, folds)]
    seen, found = surveys_of([folds, test]), surveys_of([folds, test], known=known)
    for one, other in zip(seen, found, strict=True):
        assert one.properties.tobytes() == other.properties.tobytes()


def test_no_photo_is_opened_or_looked_for(folds: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [read(surveyed(folds).to_bytes())]
    monkeypatch.setattr("maskkit.imaging.surveyed.survey", lambda *_, **__: pytest.fail("opened"))
    assert surveys_of([folds.located(root="nowhere")], known=known)[0].readable.all()


def test_what_is_not_of_these_photos_is_refused(
    folds: Manifest, info_csv: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = (
        read(surveyed(folds).to_bytes(), "ours"),
        read(surveyed(label(info_csv)).to_bytes(), "theirs"),
    )
    with pytest.raises(MaskkitError, match="theirs is of other photos than the manifest"):
        surveys_of([folds], known=[ours, theirs])
    with pytest.raises(MaskkitError, match="no survey that was given is of the photos of the manifest"):
        surveys_of([folds, label(info_csv)], known=[ours])
    with pytest.raises(MaskkitError, match="at their whole size, where this takes them at half their size"):
        surveys_of([folds], half=True, known=[ours])
    part = read(surveyed(folds, shard=Shard(2, 2)).to_bytes(), "part")
    assert "part is part 2/2" in caplog.text
    with pytest.raises(MaskkitError, match="84 of 168 photos of the manifest are not in part"):
        surveys_of([folds], known=[part])


def test_a_shard_none_of_whose_photos_can_be_read_is_a_part_like_others(spoilt: Manifest) -> None:
    part = read(surveyed(spoilt, shard=Shard(101, 168)).to_bytes())
    assert part.found.faults == {0: "missing"}


def without(name: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns([name])


def having(name: str, make: Callable[[pa.ChunkedArray], Any]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, make(table[name]))

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("width"), "width has to be of the type int32"),
        (without("path"), "path has to be of the type string"),
        (having("mean", lambda column: pa.nulls(len(column), pa.float32())), "mean has to be of the type"),
        (having("bytes", lambda column: pa.nulls(len(column), pa.int64())), "bytes is empty in a row"),
        (
            having("std", lambda column: pa.array([[0.5, None, 0.5]] * len(column), column.type)),
            "std is empty in a row",
        ),
        (
            having("contrast", lambda column: pa.array([np.nan] * len(column), pa.float32())),
            "contrast is no number in a row",
        ),
        (having("path", lambda column: pa.array(["one"] * len(column))), "each row has a path of its own"),
        (
            having("width", lambda column: pa.array([0] * len(column), pa.int32())),
            "photos without a width are those with a fault",
        ),
        (
            having("fault", lambda column: pa.array(["cut off"] + [None] * (len(column) - 1), pa.string())),
            "photos without a width are those with a fault",
        ),
        (
            lambda table: having("fault", lambda column: pa.array([None, "x", *[None] * (len(column) - 2)]))(
                having("width", lambda column: pa.array([0, *[9] * (len(column) - 1)], pa.int32()))(table)
            ),
            "photos without a width are those with a fault",
        ),
    ],
)
def test_a_survey_that_no_command_can_have_written_is_an_error(
    folds: Manifest, change: Callable[[pa.Table], pa.Table], why: str
) -> None:
    header, table = read_parquet(Source("x", surveyed(folds, half=True).to_bytes()), kind=None)
    with pytest.raises(MaskkitError, match="x is damaged, or no survey") as caught:
        read(to_parquet(change(table), header))
    assert why in caught.value.why


def test_a_survey_says_what_it_is_of(folds: Manifest) -> None:
    header: Header = surveyed(folds, half=True, shard=Shard(1, 7)).header
    assert (header.kind, [record.stage for record in header.history]) == ("survey", ["label", "split", "eda"])
    assert header.history[-1].options == {"half": True, "root": None, "shard": "1/7"}


def test_of_photos_labelled_anew_it_is_of_other_photos(folds: Manifest, train_csv: Path) -> None:
    again = split(label(train_csv, no_check=True), folds=3)
    with pytest.raises(MaskkitError, match="is of other photos"):
        surveys_of([again], known=[read(surveyed(folds).to_bytes())])
