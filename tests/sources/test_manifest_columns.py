from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.sources.manifest_columns import unlabelled_folder
from maskkit.stages.label import label


@pytest.fixture
def new_photos(info_csv: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    (folder / "deeper").mkdir(parents=True)
    for index, photo in enumerate(sorted((info_csv.parent / "images").iterdir())):
        shutil.copy(photo, folder / ("deeper" if index % 2 else ".") / photo.name)
    (folder / "._hidden.jpg").write_bytes(b"resource fork")
    (folder / "notes.txt").write_text("no photo")
    return folder


def test_a_folder_is_listed_as_label_lists_it(new_photos: Path) -> None:
    found = unlabelled_folder(new_photos, HOME)
    same = label(new_photos, unlabelled=True, no_check=True)
    assert len(found) == 7
    assert found.table.equals(same.table)
    assert found.root == same.root == new_photos
    (mine,), (its,) = found.header.history, same.header.history
    assert mine.inputs == its.inputs
    assert mine.options == {name: its.options[name] for name in mine.options}
    assert (found.labels == -1).all()


def test_it_is_known_by_the_name_of_the_folder_and_the_names_of_its_photos(new_photos: Path) -> None:
    before = unlabelled_folder(new_photos, HOME).as_input()
    assert before.name == str(new_photos)
    assert unlabelled_folder(new_photos, HOME).as_input().sha256 == before.sha256
    next(new_photos.glob("*.jpg")).rename(new_photos / "renamed.jpg")
    assert unlabelled_folder(new_photos, HOME).as_input().sha256 != before.sha256


def test_a_folder_without_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="has no photos"):
        unlabelled_folder(tmp_path, HOME)
