from __future__ import annotations

import csv
from pathlib import Path

import networks
import pytest
from commandline import run

from maskkit.artifacts.manifest import Manifest
from maskkit.stages.label import label


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos of three people, of whom the one with a mask has no face that can be seen."""
    monkeypatch.chdir(tmp_path)
    rows = [("a.png", "wear"), ("b.png", "incorrect"), ("c.png", "none")]
    for name, mask in rows:
        networks.save_photo(Path(name), networks.red_photo(*[] if mask == "wear" else [(48, 50)]))
    with Path("photos.csv").open("w", newline="") as file:
        people = [(name, name, mask, "male", 40) for name, mask in rows]
        csv.writer(file).writerows([("path", "person_id", "mask", "gender", "age"), *people])
    label("photos.csv").write("labels.parquet")
    Path("detector").write_bytes(networks.centerface())
    return tmp_path


def test_people_are_told_in_which_photos_a_face_was_found(work: Path) -> None:
    result = run("crop", "labels.parquet", "--detector", "detector", "-o", "out.parquet")
    assert (result.exit_code, result.stdout) == (0, "out.parquet\n")
    lines = [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert "all 3 2 66.67% 1 0" in lines
    assert "mask wear 1 0 0.00% 1 0" in lines
    assert "gender female 0 0 - 0 0" in lines
    assert lines[-1].endswith("ms per photo")
    assert Manifest.read("out.parquet").table["box"].null_count == 1


def test_a_score_decides_what_is_a_face(work: Path) -> None:
    result = run(
        "crop", "labels.parquet", "--detector", "detector", "--score", "0.9999", "-o", "-", "--quiet"
    )
    assert result.exit_code == 0
    assert "warning: no face was found in any of 3 photos" in result.stderr


def test_the_detector_is_never_overwritten(work: Path) -> None:
    result = run("crop", "labels.parquet", "--detector", "detector", "-o", "detector", "--force")
    assert result.exit_code == 1
    assert "inputs are never modified" in result.stderr


def test_an_unknown_detector_is_told_what_there_is(work: Path) -> None:
    result = run("crop", "labels.parquet", "--detector", "nowhere", "-o", "out.parquet")
    assert result.exit_code == 1
    assert "a detector is centerface, or the path of an ONNX file" in result.stderr
    assert not Path("out.parquet").exists()
