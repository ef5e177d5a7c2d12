from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.sources.class_folders import folder_photos
from maskkit.sources.layouts import STATES, Listing, PhotoTable, text_column

PERSON = "000001_male_Asian_25"


def people(*paths: str | None, columns: str = "id gender race age path") -> pa.Table:
    cells = [["000001"], ["male"], ["Asian"], ["25"]]
    texts = [pa.array(values * len(paths), pa.string()) for values in cells]
    return pa.table([*texts, pa.array(paths, pa.string())], names=columns.split())


def column(listing: Listing, name: str) -> list[str]:
    return list(listing.columns[name].to_pylist())


def listed(table: pa.Table, folder: Path, space: LabelSpace = HOME) -> Listing:
    return PhotoTable(table, folder, "t").listing(space)


def is_training(table: pa.Table, folder: Path = Path()) -> bool:
    return PhotoTable(table, folder, "t").is_training(HOME)


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_is_told_from_a_table_of_photos_by_its_paths() -> None:
    assert is_training(people(PERSON))
    assert not is_training(people("a/b.JPG"))
    assert not is_training(people(PERSON, columns="id gender race years path"))


@pytest.mark.parametrize("path", ["a/1", "a/1.heic", "a/1.jpg"])
def test_is_told_from_a_table_with_all_factors_by_its_folders(tmp_path: Path, path: str) -> None:
    table = people(path, columns="id gender mask age path")
    assert not is_training(table, tmp_path)
    (tmp_path / path).mkdir(parents=True)
    assert is_training(table, tmp_path) == (path != "a/1.jpg")


@pytest.mark.parametrize("path", ["a" * 5000, "a\0b", "/".join(["ab"] * 3000)])
def test_a_folder_that_cannot_be_is_not_there(tmp_path: Path, path: str) -> None:
    listing = listed(people(path), tmp_path)
    assert len(listing) == 0
    assert set(listing.missing.values()) == {"missing"}


@pytest.mark.parametrize(
    ("ids", "folders", "expected"),
    [
        (["142", "7-1"], ["000142_male_Asian_25", "x/007-1_female_Asian_30"], ["000142", "007-1"]),
        (["142.0", "7"], ["000142_male_Asian_25", "000007"], ["000142", "000007"]),
        (["000142", "000007"], ["000142_male", "000007_male"], ["000142", "000007"]),
        (["142", "8"], ["000142_male", "000007_male"], ["142", "8"]),  # ids of another kind
        (["0", "10"], ["000_male", "0010_male"], ["000", "0010"]),
    ],
)
def test_ids_without_their_leading_zeros_are_those_of_the_folders(
    tmp_path: Path, ids: list[str], folders: list[str], expected: list[str]
) -> None:
    for folder in folders:
        touch(tmp_path / folder, "mask1.jpg")
    table = people(*folders)
    table = table.set_column(0, "id", pa.array(ids))
    assert column(listed(table, tmp_path), "person_id") == expected


def test_ids_that_lost_their_zeros_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path / PERSON, "mask1.jpg")
    listed(people(PERSON).set_column(0, "id", pa.array([1])), tmp_path)
    assert "1 ids of train.csv lost their leading zeros, such as 1: " in caplog.text


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(("named", "there"), [("한국_1", nfd("한국_1")), (nfd("한국_1"), "한국_1")])
def test_a_persons_folder_is_found_in_either_form_of_unicode(tmp_path: Path, named: str, there: str) -> None:
    touch(tmp_path / there, "mask1.jpg", "normal.jpg")
    listing = listed(people(named), tmp_path)
    assert column(listing, "path") == [f"{there}/mask1.jpg", f"{there}/normal.jpg"]
    assert listing.respelled == 2
    assert listed(people(there), tmp_path).respelled == 0


def test_a_class_folder_is_too(tmp_path: Path) -> None:
    space = LabelSpace((Factor("마스크", ("착용", "미착용")), Factor("모자", ("있음", "없음"))))
    touch(tmp_path / nfd("착용") / nfd("없음"), "a.jpg")
    touch(tmp_path / nfd("미착용_있음") / "b", "b.jpg", "c.jpg")
    touch(tmp_path / "미착용-없음", "d.jpg")
    listing = folder_photos(tmp_path, space)
    labels: list[object] = list(column(listing, "label"))
    assert dict(zip(column(listing, "path"), labels, strict=True)) == {
        nfd("착용/없음/a.jpg"): 1, nfd("미착용_있음/b/b.jpg"): 2, nfd("미착용_있음/b/c.jpg"): 2,
        "미착용-없음/d.jpg": 3,
    }  # fmt: skip
    assert listing.respelled == 3
    assert folder_photos(tmp_path, HOME, unlabelled=True).respelled == 0


KOREAN = os.fsdecode("사진.jpg".encode("cp949"))


def test_photos_whose_names_are_not_utf8_are_named_and_not_listed(tmp_path: Path) -> None:
    folder = os.fsdecode("폴더".encode("cp949"))
    touch(tmp_path, "a.jpg", KOREAN)
    touch(tmp_path / folder, "b.jpg")
    listing = folder_photos(tmp_path, HOME, unlabelled=True)
    assert column(listing, "path") == ["a.jpg"]
    assert listing.missing == {
        r"\xbb\xe7\xc1\xf8.jpg": "its name is not UTF-8; in CP949 it is 사진.jpg",
        r"\xc6\xfa\xb4\xf5/b.jpg": "its name is not UTF-8; in CP949 it is 폴더/b.jpg",
    }


def test_a_folder_of_such_photos_alone_is_not_empty(tmp_path: Path) -> None:
    touch(tmp_path, KOREAN)
    listing = folder_photos(tmp_path, HOME, unlabelled=True)
    assert (len(listing), len(listing.missing)) == (0, 1)


def test_lists_seven_photos_of_a_person_with_what_their_names_tell(tmp_path: Path) -> None:
    touch(tmp_path / PERSON, *(f"{state}.jpg" for state in STATES))
    listing = listed(people(PERSON), tmp_path)
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
    listing = listed(people(PERSON), tmp_path)
    assert sorted(column(listing, "path")) == sorted(f"{PERSON}/{name}" for name in names)
    assert not listing.missing


def test_names_what_is_missing_and_what_is_there_twice(tmp_path: Path) -> None:
    touch(tmp_path / PERSON, *(f"{state}.jpg" for state in STATES if state != "mask4"), "normal.png")
    listing = listed(people(PERSON, "nobody"), tmp_path)
    assert len(listing) == 5
    assert listing.missing == {
        f"{PERSON}/mask4": "missing",
        f"{PERSON}/normal": "two files: normal.jpg, normal.png",
        **{f"nobody/{state}": "missing" for state in STATES},
    }


def test_a_file_in_place_of_a_persons_folder_holds_no_photos(tmp_path: Path) -> None:
    touch(tmp_path, PERSON)
    assert len(listed(people(PERSON), tmp_path).missing) == 7


def test_a_row_without_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match=r"row 2 of train\.csv has no path"):
        listed(people(PERSON, None), tmp_path)


def test_another_task_cannot_be_read_from_it(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="other factors"):
        listed(people(PERSON), tmp_path, LabelSpace((Factor("hat", ("yes", "no")),)))


def test_other_age_bands_can_be_read_from_it(tmp_path: Path) -> None:
    touch(tmp_path / PERSON, *(f"{state}.jpg" for state in STATES))
    space = LabelSpace((*HOME.factors[:2], Factor("age", ("young", "old"), cuts=(50,))))
    assert len(listed(people(PERSON), tmp_path, space)) == 7


def test_the_test_layout_keeps_its_order(tmp_path: Path) -> None:
    given = pa.table({"ImageID": ["b.jpg", "a.jpg", "c.jpg"], "ans": ["0"] * 3})
    listing = listed(given, tmp_path)
    assert (listing.root, listing.missing, list(listing.columns)) == (tmp_path, {}, ["path"])
    assert column(listing, "path") == ["b.jpg", "a.jpg", "c.jpg"]


def test_a_long_column_of_texts_keeps_everything_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskkit.sources.layouts.BLOCK", 3)
    column = text_column(map(str, range(10)))
    assert column.to_pylist() == [str(number) for number in range(10)]
    assert column.num_chunks == 4


def test_a_column_of_nothing_is_one_of_text() -> None:
    assert str(text_column([]).type) == "string"


def plant(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def labels(root: Path, space: LabelSpace = HOME) -> dict[object, object]:
    columns = folder_photos(root, space).columns
    return dict(zip(columns["path"].to_pylist(), columns["label"].to_pylist(), strict=True))


@pytest.mark.parametrize("folder", ["wear/female/30to59", "wear_female_30to59", "wear-female-30to59", "4"])
def test_a_class_is_named_nested_or_flat_or_by_number(tmp_path: Path, folder: str) -> None:
    plant(tmp_path, f"{folder}/a.jpg", f"{folder}/deep/er/b.PNG")
    assert labels(tmp_path) == {f"{folder}/a.jpg": 4, f"{folder}/deep/er/b.PNG": 4}


def test_every_class_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    for index, name in enumerate(HOME.names):
        plant(tmp_path, f"{name}/x.jpg", f"{name.replace('/', '_')}/x.jpg", f"{index}/x.jpg")
    found = labels(tmp_path)
    assert len(found) == 3 * 18
    for index, name in enumerate(HOME.names):
        assert (
            found[f"{name}/x.jpg"]
            == found[f"{name.replace('/', '_')}/x.jpg"]
            == found[f"{index}/x.jpg"]
            == index
        )


def test_tells_the_named_factors_but_not_a_number_that_only_a_band_is_known_of(tmp_path: Path) -> None:
    columns = folder_photos(plant(tmp_path, "none_male_60plus/a.jpg"), HOME).columns
    assert {name: values.to_pylist() for name, values in columns.items()} == {
        "path": ["none_male_60plus/a.jpg"],
        "label": [14],
        "mask": ["none"],
        "gender": ["male"],
    }


def test_a_level_named_by_a_number_is_that_level_and_not_the_class_of_that_number(tmp_path: Path) -> None:
    space = LabelSpace((Factor("digit", ("1", "2", "3")),))
    assert labels(plant(tmp_path, "1/a.jpg", "2/a.jpg", "3/a.jpg"), space) == {
        "1/a.jpg": 0,
        "2/a.jpg": 1,
        "3/a.jpg": 2,
    }


def test_flat_names_that_two_classes_share_are_not_guessed(tmp_path: Path) -> None:
    space = LabelSpace((Factor("a", ("x_y", "x")), Factor("b", ("z", "y_z"))))
    with pytest.raises(MaskkitError, match=r"outside class folders: x_y_z \(1\)"):
        labels(plant(tmp_path, "x_y_z/a.jpg"), space)
    (tmp_path / "x_y_z" / "a.jpg").unlink()
    assert labels(plant(tmp_path, "x_y-z/a.jpg", "x-y_z/a.jpg"), space) == {
        "x_y-z/a.jpg": 0,
        "x-y_z/a.jpg": 3,
    }


def test_order_does_not_depend_on_the_file_system(tmp_path: Path) -> None:
    names = ["2/b.jpg", "10/a.jpg", "2/a.jpg", "0/z.jpg", "0/a/a.jpg"]
    paths = [str(path) for path in labels(plant(tmp_path, *names))]
    assert paths == ["0/z.jpg", "0/a/a.jpg", "10/a.jpg", "2/a.jpg", "2/b.jpg"]


def test_passes_over_hidden_files_and_folders_and_other_files(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "4/a.jpg",
        "4/._a.jpg",
        "4/.DS_Store",
        "4/notes.txt",
        ".cache/x.jpg",
        "4/.hidden/y.jpg",
        "readme.md",
    )
    (tmp_path / "4" / "folder.jpg").mkdir()
    assert labels(tmp_path) == {"4/a.jpg": 4}


def test_follows_symbolic_links_to_folders_but_not_in_circles(tmp_path: Path) -> None:
    plant(tmp_path / "far", "a.jpg")
    plant(tmp_path / "tree", "0/b.jpg")
    (tmp_path / "tree" / "4").symlink_to(tmp_path / "far")
    (tmp_path / "tree" / "0" / "up").symlink_to(tmp_path / "tree")
    (tmp_path / "tree" / "0" / "here").symlink_to(tmp_path / "tree" / "0")
    assert labels(tmp_path / "tree") == {"0/b.jpg": 0, "4/a.jpg": 4}


def test_photos_outside_class_folders_are_counted_by_folder(tmp_path: Path) -> None:
    plant(tmp_path, "4/a.jpg", "loose.jpg", "train/4/b.jpg", "train/4/c.jpg", "Wear/male/under30/d.jpg")
    with pytest.raises(MaskkitError) as caught:
        labels(tmp_path)
    assert "photos outside class folders: . (1), Wear/male/under30 (1), train/4 (2)" in caught.value.what
    assert "wear/male/under30" in caught.value.why


def test_a_tree_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "4").mkdir()
    with pytest.raises(MaskkitError, match="has no photos"):
        labels(tmp_path)


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    plant(tmp_path, "4/a.jpg")
    monkeypatch.setattr("maskkit.sources.layouts.os.scandir", denied)
    with pytest.raises(MaskkitError, match="cannot list the folder") as caught:
        labels(tmp_path)
    assert caught.value.why == "permission denied"


def test_photos_in_no_class_folder_have_no_label_if_that_is_wanted(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "holiday/b.jpg", "wear/female/30to59/c.jpg")
    columns = folder_photos(tmp_path, HOME, unlabelled=True).columns
    assert dict(zip(columns["path"].to_pylist(), columns["label"].to_pylist(), strict=True)) == {
        "a.jpg": None,
        "holiday/b.jpg": None,
        "wear/female/30to59/c.jpg": 4,
    }
    assert columns["mask"].to_pylist().count("wear") == 1
