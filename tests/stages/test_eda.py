"""Looking at the data: known sets of photos, and what is wrong with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from local_places import here
from PIL import Image

from maskkit.artifacts.manifest import Manifest
from maskkit.describing.eda_results import Eda
from maskkit.errors import MaskkitError
from maskkit.reporting.eda_report import eda_report
from maskkit.reporting.html import page
from maskkit.reporting.shift_report import shift_report, verdict
from maskkit.stages.eda import contact_sheets, eda
from maskkit.stages.label import label
from maskkit.stages.shift import shift


def pairs_of(found: Eda) -> dict[str, tuple[int, int]]:
    assert found.pictures is not None
    return {one.name: (one.exact, one.near) for one in found.pictures.twins.kinds}


@pytest.fixture
def few(train_csv: Path, tmp_path: Path) -> Path:
    """The photos of three people, to be spoilt."""
    (tmp_path / "images").mkdir()
    lines = train_csv.read_text().splitlines()[:4]
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    for line in lines[1:]:
        shutil.copytree(
            train_csv.parent / "images" / line.split(",")[-1], tmp_path / "images" / line.split(",")[-1]
        )
    return tmp_path / "train.csv"


def test_counts_people_photos_and_classes(folds: Manifest) -> None:
    found = eda(folds, counts_only=True)
    assert (found.photos, found.people, found.labelled, found.photos_without_person) == (168, 24, 168, 0)
    assert found.per_person == ((7, 24),)
    assert found.traits == ("gender", "age")
    assert [table.name for table in found.tables] == ["mask x gender", "mask x age", "gender x age"]
    assert found.classes is not None
    labels = np.bincount(folds.labels, minlength=18)
    assert [one.photos for one in found.classes.groups] == labels.tolist()
    assert sum(one.people for one in found.factors[1].groups) == 24
    assert found.folds is not None
    assert sum(one.people for one in found.folds.groups) == 24
    assert found.pictures is None


def test_mean_and_std_are_those_of_all_pixels(labels: Manifest) -> None:
    found = eda(labels)
    assert found.pictures is not None
    files = [here(labels.root) / path for path in labels.paths]
    pixels = np.concatenate([np.asarray(Image.open(file), np.float64).reshape(-1, 3) for file in files]) / 255
    assert found.pictures.look.mean == pytest.approx(pixels.mean(axis=0).tolist(), abs=1e-5)
    assert found.pictures.look.std == pytest.approx(pixels.std(axis=0).tolist(), abs=1e-5)


def test_broken_and_missing_photos_are_named_not_an_error(few: Path) -> None:
    manifest = label(few)
    files = [here(manifest.root) / path for path in manifest.paths]
    files[0].unlink()
    files[3].write_bytes(files[3].read_bytes()[:300])
    found = eda(manifest)
    assert found.pictures is not None
    assert dict(found.pictures.faults) == {manifest.paths[0]: "missing", manifest.paths[3]: "cut off"}
    assert found.pictures.look.photos == 19


def test_no_readable_photo_at_all_is_an_error(few: Path) -> None:
    manifest = label(few)
    for path in manifest.paths:
        (here(manifest.root) / path).write_bytes(b"")
    with pytest.raises(MaskkitError, match="none of the 21 photos"):
        eda(manifest)


def test_a_wrong_root_is_an_error(labels: Manifest, tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="are not under"):
        eda(labels.located(root=str(tmp_path)))


def test_duplicates_are_told_apart_by_whom_they_are_between(few: Path) -> None:
    files = sorted((few.parent / "images").glob("*/*.jpg"))
    for seed, file in enumerate(files):  # drawn photos are alike, noise is not
        noise = np.random.default_rng(seed).integers(0, 255, (64, 48, 3))
        Image.fromarray(noise.astype(np.uint8)).save(file)
    one, other, _ = sorted((few.parent / "images").iterdir())
    shutil.copy(one / "mask1.jpg", one / "mask2.jpg")  # of one class
    shutil.copy(one / "normal.jpg", other / "mask1.jpg")
    Image.open(other / "mask5.jpg").save(other / "incorrect_mask.jpg", quality=60)
    found = eda(label(few))
    assert pairs_of(found) == {
        "all": (2, 1),
        "inside one person": (1, 1),
        "across people": (1, 0),
        "across classes": (1, 1),
    }
    assert found.pictures is not None
    assert (found.pictures.twins.groups, found.pictures.twins.photos) == (3, 6)
    (across,) = (one for one in found.pictures.twins.kinds if one.name == "across people")
    assert {across.named[0].one, across.named[0].other} == {
        f"{one.name}/normal.jpg",
        f"{other.name}/mask1.jpg",
    }


def test_a_plain_folder_has_neither_people_nor_classes(few: Path) -> None:
    found = eda(label(few.parent / "images", unlabelled=True, no_check=True))
    assert (found.photos, found.people, found.photos_without_person, found.labelled) == (21, None, 21, 0)
    assert (found.classes, found.factors, found.ages, found.rare) == (None, (), (), None)


def test_a_column_without_a_value_is_left_out(few: Path) -> None:
    manifest = label(few)
    empty = {"age": pa.nulls(21, pa.int16()), "label": pa.nulls(21, pa.int16())}
    found = eda(manifest.then("test", empty), counts_only=True)
    assert found.classes is None
    assert [one.name for one in found.factors] == ["mask", "gender"]
    assert found.rare is not None
    assert all("age" not in dict(one.levels) for one in found.rare.found)


def test_the_page_holds_no_photo_unless_asked_for(few: Path) -> None:
    manifest = label(few)
    found = eda(manifest)
    plain = page(eda_report(found))
    assert "<img" not in plain
    assert "img-src" not in plain
    shown = page(eda_report(found, sheets=contact_sheets(found, manifest)))
    assert shown.count("<img") > 20
    assert 'src="data:image/jpeg;base64,' in shown
    assert "img-src data:" in shown
    assert "://" not in shown


def test_the_same_photos_give_the_same_page_and_json(few: Path) -> None:
    manifest = label(few)
    one, other = eda(manifest), eda(manifest)
    assert json.dumps(one.to_json()) == json.dumps(other.to_json())
    pages = [page(eda_report(found, sheets=contact_sheets(found, manifest))) for found in (one, other)]
    assert pages[0] == pages[1]


def test_one_person_of_one_class_is_no_error(few: Path) -> None:
    manifest = label(few)
    single = manifest.select(np.arange(1))
    assert eda(single).people == 1
    assert page(eda_report(eda(single)))


def test_photos_in_both_sets_are_found(train_csv: Path, tmp_path: Path, labels: Manifest) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(here(labels.root) / labels.paths[5], tmp_path / "other" / "copy.jpg")
    other = label(tmp_path / "other", unlabelled=True, no_check=True)
    found = shift(labels, other)
    assert found.duplicates.exact >= 1
    assert found.two_sample is None  # of one photo
    assert "too small" in verdict(found)


def test_people_in_both_sets_are_named(labels: Manifest) -> None:
    person = labels.people.codes
    found = shift(labels.select(person < 14), labels.select(person >= 12))
    assert len(found.people) == 2
    assert "2 people are in both" in verdict(found)


def test_a_darker_set_is_told_apart_by_its_light(labels: Manifest, tmp_path: Path) -> None:
    dark = labels.select(labels.people.codes >= 12)
    for path in dark.paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        with Image.open(here(labels.root) / path) as image:
            image.point(lambda value: value * 0.4).save(tmp_path / path)
    found = shift(labels.select(labels.people.codes < 12), dark.located(root=str(tmp_path)))
    assert found.two_sample is not None
    assert found.two_sample.is_apart
    brightness = next(one for one in found.differences if one.name == "brightness")
    assert brightness.standardised is not None
    assert brightness.standardised < -1
    assert "tells the sets apart" in verdict(found)
    assert "tells the sets apart" in page(shift_report(found))


def test_sets_of_other_classes_are_compared_by_their_photos_alone(labels: Manifest, tmp_path: Path) -> None:
    task = tmp_path / "task.toml"
    task.write_text('[[factors]]\nname = "hat"\nlevels = ["on", "off"]\n')
    other = label(here(labels.root), unlabelled=True, no_check=True, task=task)
    found = shift(labels, other)
    assert found.classes == ()
    assert found.duplicates.exact >= 168


def test_what_label_left_out_is_told_later_too(few: Path, tmp_path: Path) -> None:
    broken = min((few.parent / "images").glob("*/mask1.jpg"))
    broken.write_bytes(b"")
    made = label(few, skip_bad=True)
    made.write(tmp_path / "labels.parquet")
    found = eda(Manifest.read(tmp_path / "labels.parquet").located(root=str(made.root)))
    assert found.left_out == ((f"{broken.parent.name}/mask1.jpg", "empty"),)
    assert "Left out" in page(eda_report(found))
