from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.sources.competition import STATES, is_training, training_photos, unlabelled_photos
from maskkit.sources.listing import Listing, image_root

PERSON = "000001_male_Asian_25"


def table(*paths: str | None, columns: str = "id gender race age path") -> pa.Table:
    cells = [["000001"], ["male"], ["Asian"], ["25"]]
    texts = [pa.array(values * len(paths), pa.string()) for values in cells]
    return pa.table([*texts, pa.array(paths, pa.string())], names=columns.split())


def column(listing: Listing, name: str) -> list[str]:
    return list(listing.columns[name].to_pylist())


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_is_told_from_a_table_of_photos_by_its_paths() -> None:
    assert is_training(table(PERSON))
    assert not is_training(table("a/b.JPG"))
    assert not is_training(table(PERSON, columns="id gender race years path"))


def test_lists_seven_photos_of_a_person_with_what_their_names_tell(tmp_path: Path) -> None:
    touch(tmp_path / PERSON, *(f"{state}.jpg" for state in STATES))
    listing = training_photos(table(PERSON), tmp_path, HOME)
    assert len(listing) == 7
    assert not listing.missing
    assert dict(zip(column(listing, "path"), column(listing, "mask"), strict=True)) == {
        **{f"{PERSON}/mask{number}.jpg": "wear" for number in range(1, 6)},
        f"{PERSON}/incorrect_mask.jpg": "incorrect",
        f"{PERSON}/normal.jpg": "none",
    }
    assert set(column(listing, "person_id")) == {"000001"}
    assert set(column(listing, "age")) == {"25"}


def test_takes_any_suffix_in_any_case_and_passes_over_what_is_no_photo(tmp_path: Path) -> None:
    names = [
        "mask1.JPG",
        "mask2.jpeg",
        "mask3.Png",
        "mask4.jpg",
        "mask5.jpg",
        "incorrect_mask.JPEG",
        "normal.PNG",
    ]
    others = ["._mask1.jpg", ".DS_Store", "mask1.txt", "mask6.jpg", "Thumbs.db", "mask1", ".jpg"]
    touch(tmp_path / PERSON, *names, *others)
    listing = training_photos(table(PERSON), tmp_path, HOME)
    assert sorted(column(listing, "path")) == sorted(f"{PERSON}/{name}" for name in names)
    assert not listing.missing


def test_names_what_is_missing_and_what_is_there_twice(tmp_path: Path) -> None:
    touch(tmp_path / PERSON, *(f"{state}.jpg" for state in STATES if state != "mask4"), "normal.png")
    listing = training_photos(table(PERSON, "nobody"), tmp_path, HOME)
    assert len(listing) == 5
    assert listing.missing == {
        f"{PERSON}/mask4": "missing",
        f"{PERSON}/normal": "two files: normal.jpg, normal.png",
        **{f"nobody/{state}": "missing" for state in STATES},
    }


def test_a_file_in_place_of_a_persons_folder_holds_no_photos(tmp_path: Path) -> None:
    touch(tmp_path, PERSON)
    assert len(training_photos(table(PERSON), tmp_path, HOME).missing) == 7


def test_a_row_without_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match=r"row 2 of train\.csv has no path"):
        training_photos(table(PERSON, None), tmp_path, HOME)


def test_another_task_cannot_be_read_from_it(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="other factors"):
        training_photos(table(PERSON), tmp_path, LabelSpace((Factor("hat", ("yes", "no")),)))


def test_other_age_bands_can_be_read_from_it(tmp_path: Path) -> None:
    touch(tmp_path / PERSON, *(f"{state}.jpg" for state in STATES))
    space = LabelSpace((*HOME.factors[:2], Factor("age", ("young", "old"), cuts=(50,))))
    assert len(training_photos(table(PERSON), tmp_path, space)) == 7


def test_the_test_layout_keeps_its_order(tmp_path: Path) -> None:
    given = pa.table({"ImageID": ["b.jpg", "a.jpg", "c.jpg"], "ans": ["0"] * 3})
    listing = unlabelled_photos(given, tmp_path)
    assert (listing.root, listing.missing, list(listing.columns)) == (tmp_path, {}, ["path"])
    assert column(listing, "path") == ["b.jpg", "a.jpg", "c.jpg"]


def test_the_root_is_the_one_given_or_images_beside_the_table_or_its_folder(tmp_path: Path) -> None:
    assert image_root(tmp_path / "train.csv", None) == tmp_path
    touch(tmp_path, "images")
    assert image_root(tmp_path / "train.csv", None) == tmp_path  # a file of that name is no folder
    (tmp_path / "images").unlink()
    touch(tmp_path / "images")
    assert image_root(tmp_path / "train.csv", None) == tmp_path / "images"
    assert image_root(tmp_path / "train.csv", "elsewhere") == Path("elsewhere")
