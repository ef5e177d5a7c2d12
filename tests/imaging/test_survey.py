from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import draw_photo
from PIL import Image

from maskkit.imaging.survey import find_duplicates, joined, survey


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three photos of 48 x 64."""
    paths = [tmp_path / f"{age}.jpg" for age in (20, 40, 60)]
    for path, age in zip(paths, (20, 40, 60), strict=True):
        draw_photo(path, mask="wear", gender="male", age=age, seed=age, size=(48, 64))
    return paths


def test_measures_are_those_of_the_pixels(files: list[Path]) -> None:
    seen = survey(files)
    for row, file in enumerate(files):
        pixels = np.asarray(Image.open(file)) / 255
        luma = cv2.cvtColor(np.asarray(Image.open(file)), cv2.COLOR_RGB2GRAY).astype(np.float64)
        padded = np.pad(luma, 1, mode="reflect")
        edges = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * luma
        assert seen["mean"][row] == pytest.approx(pixels.mean((0, 1)), abs=1e-6)
        assert seen["std"][row] == pytest.approx(pixels.std((0, 1)), abs=1e-6)
        assert seen["brightness"][row] == pytest.approx(luma.mean() / 255, abs=1e-6)
        assert seen["contrast"][row] == pytest.approx(luma.std() / 255, abs=1e-6)
        assert seen["sharpness"][row] == pytest.approx(edges.var(), rel=1e-5)
        assert seen["bytes"][row] == file.stat().st_size
        assert seen["content"][row].tobytes() == hashlib.sha256(file.read_bytes()).digest()[:16]
    assert seen["width"].tolist() == [48] * 3
    assert seen["height"].tolist() == [64] * 3
    assert seen["format"].tolist() == [b"JPEG"] * 3
    assert seen["mode"].tolist() == [b"RGB"] * 3


def test_the_colour_of_all_photos_is_that_of_all_their_pixels(files: list[Path]) -> None:
    mean, std = survey(files).colour()
    pixels = np.concatenate([np.asarray(Image.open(file)).reshape(-1, 3) for file in files]) / 255
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-6)
    assert std == pytest.approx(pixels.std(axis=0), abs=1e-6)


def test_half_the_size_changes_light_and_colour_little(files: list[Path]) -> None:
    whole, half = survey(files), survey(files, scale=2)
    assert half["mean"] == pytest.approx(whole["mean"], abs=0.01)
    assert half["width"].tolist() == whole["width"].tolist()


def test_photos_that_cannot_be_read_are_named_and_the_others_seen(files: list[Path], tmp_path: Path) -> None:
    files[0].write_bytes(files[0].read_bytes()[:-200])
    (tmp_path / "empty.jpg").touch()
    files += [tmp_path / "empty.jpg", tmp_path / "nowhere.jpg"]
    seen = survey(files)
    assert seen.faults == {0: "cut off", 3: "empty", 4: "missing"}
    assert seen.readable.tolist() == [False, True, True, False, False]


def test_sizes_are_those_of_the_upright_photo(tmp_path: Path) -> None:
    turned = Image.new("RGB", (40, 30), "red")
    exif = turned.getexif()
    exif[0x0112] = 6  # lies on its side
    turned.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("L", (50, 20), 128).save(tmp_path / "grey.png")
    seen = survey([tmp_path / "turned.jpg", tmp_path / "grey.png"])
    assert seen["width"].tolist() == [30, 50]
    assert seen["height"].tolist() == [40, 20]
    assert [seen["format"][1], seen["mode"][1]] == [b"PNG", b"L"]
    assert seen["mean"][1] == pytest.approx([128 / 255] * 3)


def test_surveys_are_joined_in_their_order(files: list[Path]) -> None:
    both = joined([survey([files[0], Path("nowhere")]), survey([Path("nowhere"), files[1]])])
    assert both.readable.tolist() == [True, False, False, True]
    assert both.faults == {1: "missing", 2: "missing"}


def test_copies_are_found_and_said_to_be_exact_or_near(files: list[Path], tmp_path: Path) -> None:
    coarse = np.random.default_rng(1).uniform(0, 255, (9, 7, 3)).astype(np.float32)
    picture = Image.fromarray(
        cv2.resize(coarse, (96, 128), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    )
    picture.save(files[1], quality=90)
    (tmp_path / "same.jpg").write_bytes(files[1].read_bytes())
    picture.save(tmp_path / "compressed.jpg", quality=60)
    nowhere = tmp_path / "nowhere.jpg"
    other = tmp_path / "other.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)).save(other)
    found = find_duplicates(
        survey([nowhere, files[1], other, tmp_path / "same.jpg", tmp_path / "compressed.jpg"])
    )
    pairs = {(1, 3): True, (1, 4): False}
    assert {
        (int(one), int(other)): bool(exact)
        for one, other, exact in zip(found.one, found.other, found.is_exact, strict=True)
    } == pairs
    assert found.groups().tolist() == [0, 1, 2, 1, 1]
    assert found.differ(np.array([0, 1, 1, 2, -1])).tolist() == [True, False]  # the last is not known
    assert len(found.inside(4)) == 1
