"""Paths are found in whichever form of Unicode they are on disk."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from maskkit.imaging.spelling import spelled_otherwise


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def touch(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


@pytest.mark.parametrize(
    ("there", "named"),
    [
        (nfd("한국/사진.jpg"), "한국/사진.jpg"),
        ("한국/사진.jpg", nfd("한국/사진.jpg")),
        (f"한국/{nfd('é')}/사진.jpg", f"{nfd('한국')}/é/사진.jpg"),
        (nfd("é") + "é.jpg", "éé.jpg"),  # neither form as a whole
    ],
)
def test_a_path_is_found_part_by_part(tmp_path: Path, there: str, named: str) -> None:
    touch(tmp_path, there)
    assert spelled_otherwise(tmp_path, [named, there, "a.jpg", "없음.jpg"]) == {named: there}


def test_a_path_that_is_there_is_itself(tmp_path: Path) -> None:
    for name in ("é.jpg", nfd("é.jpg")):
        touch(tmp_path, name)
    assert spelled_otherwise(tmp_path, ["é.jpg", nfd("é.jpg")]) == {}


def test_two_files_that_it_could_be_are_none(tmp_path: Path) -> None:
    for name in (nfd("é") + "é.jpg", "é" + nfd("é.jpg")):
        touch(tmp_path, name)
    assert spelled_otherwise(tmp_path, ["éé.jpg"]) == {}


@pytest.mark.parametrize("name", ["é" * 5000, "é\0.jpg", "é/" * 3000 + "a"])
def test_a_name_that_no_file_can_have_is_not_there(tmp_path: Path, name: str) -> None:
    assert spelled_otherwise(tmp_path, [name]) == {}
    assert spelled_otherwise(tmp_path / "gone", [name]) == {}
