"""Whatever is made in shards is, joined, what is made at once, to the last byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import networks
import pyarrow as pa
import pytest
from local_places import here

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.imaging.surveyed import surveyed
from maskkit.options.shard import Shard
from maskkit.options.train_options import Inference
from maskkit.stages.crop import crop
from maskkit.stages.join import join
from maskkit.stages.label import label
from maskkit.stages.predict import predict

COUNTS = (1, 2, 7, 50)


def assert_is_whole(make: Callable[[Shard | None], pa.Buffer], *, counts: Sequence[int] = COUNTS) -> None:
    whole = make(None)
    for count in counts:
        parts = [Source(str(one), make(Shard(one, count))) for one in range(count, 0, -1)]
        assert join(parts).data.equals(whole), count


@pytest.mark.parametrize("no_check", [False, True])
def test_manifests_of_label(train_csv: Path, no_check: bool) -> None:
    assert_is_whole(lambda shard: label(train_csv, no_check=no_check, shard=shard).to_bytes())


def test_manifests_of_label_with_photos_left_out(train_csv: Path, tmp_path: Path) -> None:
    shutil.copytree(train_csv.parent, tmp_path / "train")
    photos = sorted((tmp_path / "train" / "images").rglob("*.jpg"))
    photos[3].unlink()
    photos[4].write_bytes(b"no photo")
    photos[100].write_bytes(photos[100].read_bytes()[:200])
    table = tmp_path / "train" / "train.csv"
    assert label(table, skip_bad=True).header.facts["left_out"]
    assert_is_whole(lambda shard: label(table, skip_bad=True, shard=shard).to_bytes())


def test_manifests_of_class_folders(tmp_path: Path) -> None:
    for number in range(9):
        networks.save_photo(tmp_path / ("ok", "bad")[number % 2] / f"{number}.png", networks.red_photo())
    assert_is_whole(lambda shard: label(tmp_path, shard=shard).to_bytes(), counts=(2, 4))


def test_manifests_of_crop(labels: Manifest, tmp_path: Path) -> None:
    detector = tmp_path / "red.onnx"
    detector.write_bytes(networks.centerface())
    given = Manifest.read(Source("labels", labels.to_bytes()))
    assert_is_whole(
        lambda shard: crop(given, detector=str(detector), shard=shard).manifest.to_bytes(), counts=(2, 7)
    )


@pytest.mark.parametrize("half", [False, True])
def test_surveys_of_photos(labels: Manifest, half: bool) -> None:
    assert_is_whole(lambda shard: surveyed(labels, half=half, shard=shard).to_bytes(), counts=(1, 2, 7, 200))


@pytest.mark.parametrize(("oof", "counts"), [(False, (1, 2, 7)), (True, (50,))])
def test_predictions(folds: Manifest, checkpoints: list[Path], oof: bool, counts: Sequence[int]) -> None:
    models = [Checkpoint.read(path) for path in checkpoints]

    def make(shard: Shard | None) -> pa.Buffer:
        inference = Inference("cpu", 20, 0, runtime="torch")
        found = predict(folds, models, oof=oof, allow_leak=not oof, inference=inference, shard=shard)
        return found.encode("parquet")

    assert_is_whole(make, counts=counts)


def test_photos_that_cannot_be_read_are_left_out_of_all_parts_alike(
    folds: Manifest, checkpoints: list[Path], tmp_path: Path
) -> None:
    shutil.copytree(here(folds.root), tmp_path / "images")
    given = folds.located(root=str(tmp_path / "images"))
    (tmp_path / "images" / given.paths[40]).write_bytes(b"no photo")
    models = [Checkpoint.read(path) for path in checkpoints]

    def make(shard: Shard | None) -> pa.Buffer:
        inference = Inference("cpu", 20, 0, runtime="torch")
        found = predict(given, models, oof=True, inference=inference, shard=shard, faults={})
        return found.encode("parquet")

    assert_is_whole(make, counts=(2, 7))


def test_a_part_of_predictions_is_parquet(folds: Manifest, checkpoints: list[Path]) -> None:
    models = [Checkpoint.read(path) for path in checkpoints]
    part = predict(folds, models, oof=True, inference=Inference("cpu", 20, 0), shard=Shard(1, 2))
    assert 0 < len(part) < len(folds)
    with pytest.raises(MaskkitError, match="a part of predictions cannot be written as csv"):
        part.encode("csv")
    with pytest.raises(MaskkitError, match="cannot be written as submission"):
        part.encode("submission")
    assert Predictions.read(Source("part", part.encode("parquet"))).answer.tolist() == part.answer.tolist()


def test_what_stands_for_all_parts_is_joined_alone(train_csv: Path, tmp_path: Path) -> None:
    for one in (1, 2):
        label(train_csv, shard=Shard(one, 2)).write(tmp_path / f"{one}.parquet")
    folder, part = Source.open(tmp_path), Source.open(tmp_path / "1.parquet")
    assert join([folder]) is folder
    with pytest.raises(MaskkitError, match="stands for all its parts"):
        join([folder, part])
