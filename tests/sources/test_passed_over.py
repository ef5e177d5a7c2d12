from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from conftest import draw_photo

from maskkit.labels import HOME
from maskkit.sources.class_folders import folder_photos
from maskkit.sources.layouts import STATES
from maskkit.sources.passed_over import LOOKED_AT
from maskkit.stages.label import label


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = path.parent / f"{path.name}.jpg"
    draw_photo(drawn, mask="wear", gender="male", age=20, seed=1)
    return drawn.rename(path)


def names(folder: Path) -> list[str]:
    return list(folder_photos(folder, HOME, unlabelled=True).columns["path"].to_pylist())


def test_photos_of_other_suffixes_are_counted_by_suffix_once_with_what_would_take_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo(tmp_path / "a.jpg")
    for name in ("b.heic", "c.HEIC", "in/d.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"what Apple writes")
    photo(tmp_path / "e.jpg_large")
    photo(tmp_path / "in" / "f")
    for name in ("g.txt", "h.csv", "Thumbs.db", ".DS_Store", "README"):
        (tmp_path / name).write_text("no photo")
    assert names(tmp_path) == ["a.jpg"]
    assert [record.getMessage() for record in caplog.records] == [
        (
            f"passed over 5 photos under {tmp_path} because of their suffix: "
            "3 .heic (HEIC: convert them to JPEG or PNG), 1 .jpg_large (JPEG: rename them to .jpeg), "
            "1 without a suffix (JPEG: rename them to .jpeg); "
            "photos are files that end in .jpg, .jpeg, .jpe, .jfif, .png, .webp, .bmp, .gif, "
            ".tif, .tiff, .avif"
        )
    ]


def test_nothing_is_said_of_files_that_are_no_photos(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "b.txt").write_text("a text")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "gone").symlink_to("nowhere")
    assert names(tmp_path) == ["a.jpg"]
    assert not caplog.records


def test_a_few_files_of_a_suffix_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    monkeypatch.setattr("maskkit.sources.passed_over._format_inside", looks.append)
    for number in range(LOOKED_AT + 5):
        (tmp_path / f"{number}.txt").touch()
    photo(tmp_path / "a.jpg")
    names(tmp_path)
    assert len(looks) == LOOKED_AT


def test_a_suffix_that_cannot_be_printed_is_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "b.\x1b[31m")
    names(tmp_path)
    assert r"1 '.\x1b[31m' (JPEG" in caplog.text


@pytest.mark.parametrize("suffix", [".webp", ".BMP", ".tif", ".TIFF", ".gif", ".avif", ".jfif"])
def test_suffixes_of_formats_that_are_read_are_taken(tmp_path: Path, suffix: str) -> None:
    photo(tmp_path / f"a{suffix}")
    assert names(tmp_path) == [f"a{suffix}"]


def test_links_that_lead_nowhere_are_listed_as_photos_or_passed_over(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    (tmp_path / "folder.jpg").mkdir()
    photo(tmp_path / "folder.jpg" / "b.jpg")
    assert names(tmp_path) == ["a.jpg", "round.jpg", "folder.jpg/b.jpg"]
    manifest = label(tmp_path, unlabelled=True, skip_bad=True)
    assert manifest.paths == ["a.jpg", "folder.jpg/b.jpg"]


def test_photos_of_people_are_counted_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["id,gender,race,age,path"]
    for person in ("000001", "000002"):
        folder = f"{person}_male_Asian_30"
        rows.append(f"{person},male,Asian,30,{folder}")
        for state in STATES:
            photo(tmp_path / "images" / folder / f"{state}{'.heic' if state == 'normal' else '.webp'}")
        (tmp_path / "images" / folder / "notes.txt").write_text("no photo")
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    caplog.set_level(logging.WARNING)
    assert len(label(tmp_path, skip_bad=True)) == 12
    assert "passed over 2 photos" in caplog.text
    assert "2 .heic (HEIC: convert them to JPEG or PNG)" in caplog.text
