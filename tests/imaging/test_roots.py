from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.roots import VARIABLE, photo_files
from maskkit.stages.label import label


@pytest.fixture(autouse=True)
def _no_root_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_takes_the_root_that_label_recorded(labels: Manifest, train_csv: Path) -> None:
    files = photo_files(labels)
    assert len(files) == len(labels)
    assert files[0] == train_csv.parent / "images" / labels.paths[0]


def test_a_relative_root_holds_in_the_folder_where_label_ran(
    train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(train_csv.parent)
    manifest = label("train.csv")
    assert photo_files(manifest)[0] == Path("images") / manifest.paths[0]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MaskkitError, match="are not under images") as caught:
        photo_files(manifest)
    assert "--root" in caught.value.fix
    assert VARIABLE in caught.value.fix
    assert photo_files(manifest.located(root=str(train_csv.parent / "images")))


@pytest.mark.parametrize("place", ["labels.parquet", "run/labels.parquet", "run/deep/labels.parquet"])
def test_a_manifest_that_lies_where_label_ran_or_below_works_from_any_folder(
    place: str, train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "elsewhere").mkdir(parents=True)
    (tmp_path / "data" / "images").symlink_to(train_csv.parent / "images")
    (tmp_path / "data" / "train.csv").write_bytes(train_csv.read_bytes())
    monkeypatch.chdir(tmp_path / "data")
    label("train.csv").write(place)
    for folder, way in (("elsewhere", "../"), ("..", "data/")):
        monkeypatch.chdir(tmp_path / "data" / folder)
        manifest = Manifest.read(f"{way}{place}")
        assert all(file.is_file() for file in photo_files(manifest))
        grown = manifest.then("split", {})
        assert photo_files(grown) == photo_files(manifest)  # what a stage makes of it has the same photos
        with pytest.raises(MaskkitError, match="nowhere"):
            photo_files(manifest.located(root="nowhere"))  # what was asked for is all that is tried
        monkeypatch.setenv(VARIABLE, "nothing")
        with pytest.raises(MaskkitError, match="are not under nothing"):
            photo_files(manifest)
        monkeypatch.delenv(VARIABLE)


def test_the_folder_that_one_is_in_comes_before_the_manifests(
    train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("data", "moved"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "images").symlink_to(train_csv.parent / "images")
    (tmp_path / "data" / "train.csv").write_bytes(train_csv.read_bytes())
    monkeypatch.chdir(tmp_path / "data")
    label("train.csv").write("labels.parquet")
    monkeypatch.chdir(tmp_path / "moved")
    manifest = Manifest.read("../data/labels.parquet")
    assert photo_files(manifest)[0] == Path("images") / manifest.paths[0]


def test_an_error_names_both_places_where_photos_were_looked_for(
    train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(train_csv.parent)
    label("train.csv").write(tmp_path / "taken" / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    manifest = Manifest.read("taken/labels.parquet")
    with pytest.raises(MaskkitError, match="are not under images") as caught:
        photo_files(manifest)
    assert caught.value.why == (
        f"there is no {manifest.paths[0]} in {tmp_path}/images, as seen from the folder you are in, "
        f"nor in {tmp_path}/taken/images, as seen from the manifest's"
    )


def test_the_option_wins_over_the_variable_and_the_variable_over_the_record(
    labels: Manifest, train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "moved").symlink_to(train_csv.parent / "images")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "moved"))
    assert photo_files(labels)[0] == tmp_path / "moved" / labels.paths[0]
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    assert photo_files(labels.located(root=str(tmp_path / "moved")))[0].is_file()
    with pytest.raises(MaskkitError, match="nowhere"):
        photo_files(labels)


def test_an_empty_variable_is_no_root(labels: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert photo_files(labels)[0].is_file()


def test_photos_are_found_in_another_form_of_unicode(tmp_path: Path) -> None:
    (tmp_path / "사진.csv").write_text("path\n사진.jpg\n")
    manifest = label(tmp_path / "사진.csv", no_check=True)
    there = tmp_path / unicodedata.normalize("NFD", "사진.jpg")
    there.touch()
    assert photo_files(manifest) == [there]


def test_too_long_a_name_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"path\n{'a' * 5000}\n")
    with pytest.raises(MaskkitError, match="are not under"):
        photo_files(label(tmp_path / "t.csv", no_check=True))


def test_a_root_without_the_first_photos_is_an_error_before_any_work(labels: Manifest) -> None:
    paths = pa.array(["gone.jpg", *labels.paths[1:]])
    with pytest.raises(MaskkitError) as caught:
        photo_files(replace(labels, table=labels.table.set_column(0, "path", paths)))
    assert caught.value.why.endswith("gone.jpg")


def test_a_photo_beside_the_root_is_found_by_words_also_where_a_link_leads_elsewhere(
    labels: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "far" / "deep" / "train").mkdir(parents=True)
    (tmp_path / "train").symlink_to(tmp_path / "far" / "deep" / "train")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.jpg").write_bytes(b"")
    one = labels.select(np.array([0]))
    beside = replace(one, table=one.table.set_column(0, "path", pa.array(["../test/a.jpg"])))
    assert photo_files(beside.located(root=str(tmp_path / "train"))) == [tmp_path / "test" / "a.jpg"]
