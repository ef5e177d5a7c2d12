from __future__ import annotations

from pathlib import Path

import pytest

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.sources.folders import folder_photos


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
    monkeypatch.setattr("maskkit.sources.folders.os.scandir", denied)
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
