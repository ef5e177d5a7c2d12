from __future__ import annotations

import logging
import os
import unicodedata
from pathlib import Path

import pytest

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.sources.class_folders import PhotoTree
from maskkit.sources.layouts import STATES
from maskkit.sources.own_classes import say_what_was_found, space_of_folders


def plant(root: Path, *names: str) -> PhotoTree:
    """Make empty files, and folders of names that end in `/`."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            (root / name).mkdir(exist_ok=True)
        else:
            (root / name).touch()
    return PhotoTree.of(root)


def found(tree: PhotoTree) -> dict[str, list[str]]:
    return {factor.name: list(factor.levels) for factor in space_of_folders(tree).factors}


def labels(tree: PhotoTree, space: LabelSpace | None = None) -> dict[str, int]:
    columns = tree.listing(space or space_of_folders(tree)).columns
    return dict(zip(columns["path"].to_pylist(), columns["label"].to_pylist(), strict=True))


def refused(tree: PhotoTree) -> MaskkitError:
    with pytest.raises(MaskkitError) as caught:
        space_of_folders(tree)
    return caught.value


def test_folders_side_by_side_are_the_levels_of_one_factor(tmp_path: Path) -> None:
    tree = plant(tmp_path, "scratched/a.jpg", "ok/b.jpg", "very bent/c.jpg")
    assert found(tree) == {"class": ["ok", "scratched", "very bent"]}
    assert labels(tree) == {"ok/b.jpg": 0, "scratched/a.jpg": 1, "very bent/c.jpg": 2}


def test_folders_in_folders_are_a_factor_for_each_depth_if_they_form_a_grid(tmp_path: Path) -> None:
    tree = plant(tmp_path, "wear/male/a.jpg", "wear/female/b.jpg", "none/male/c.jpg", "none/female/")
    assert found(tree) == {"factor1": ["none", "wear"], "factor2": ["female", "male"]}
    assert labels(tree) == {"none/male/c.jpg": 1, "wear/female/b.jpg": 2, "wear/male/a.jpg": 3}


def test_a_tree_with_any_class_of_the_home_task_is_of_that(tmp_path: Path) -> None:
    tree = plant(tmp_path, "wear_male_under30/a.jpg", "Wear_male_under30/b.jpg")
    assert space_of_folders(tree) == HOME
    with pytest.raises(MaskkitError, match=r"outside class folders: Wear_male_under30 \(1\)") as caught:
        tree.listing(HOME)
    assert "--task" in caught.value.fix
    assert "--unlabelled" in caught.value.fix


def test_an_empty_folder_of_a_class_of_the_home_task_is_none_of_it(tmp_path: Path) -> None:
    assert found(plant(tmp_path, "4/", "ok/a.jpg", "bad/b.jpg")) == {"class": ["bad", "ok"]}


def test_levels_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    assert found(plant(tmp_path, "100/a.jpg", "30/a.jpg", "200/a.jpg")) == {"class": ["30", "100", "200"]}
    assert found(plant(tmp_path, "x/a.jpg")) == {"class": ["100", "200", "30", "x"]}


def test_a_level_of_a_grid_is_not_taken_for_the_number_of_a_class(tmp_path: Path) -> None:
    years = range(18, 40)
    tree = plant(tmp_path, *(f"{year}/{state}/a.jpg" for year in years for state in ("bad", "ok")))
    given = labels(tree)
    assert given["19/ok/a.jpg"] == 3
    assert sorted(given.values()) == list(range(44))


def test_numbers_that_may_be_names_of_other_classes_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree = plant(tmp_path, "0/a.jpg", "1/b.jpg")
    assert space_of_folders(tree) == HOME
    assert "such as wear/male/under30 for 0" in caplog.text
    assert 'factors = [{name = "class", levels = ["0", "1"]}]' in caplog.text


def test_all_class_numbers_or_one_are_those_of_the_home_task_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert space_of_folders(plant(tmp_path / "one", "4/a.jpg")) == HOME
    assert space_of_folders(plant(tmp_path / "all", *(f"{index}/a.jpg" for index in range(18)))) == HOME
    assert not caplog.records


def test_hidden_folders_and_files_name_nothing(tmp_path: Path) -> None:
    tree = plant(tmp_path, "ok/a.jpg", "bad/b.jpg", ".cache/c.jpg", "ok/.thumbs/d.jpg", "__MACOSX/._a.jpg")
    assert found(tree) == {"class": ["bad", "ok"]}


def test_folders_without_photos_are_named_and_no_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree = plant(tmp_path, "ok/a.jpg", "bad/b.jpg", "bent/", "notes/deep/readme.txt")
    space = space_of_folders(tree)
    assert space.names == ["bad", "ok"]
    with caplog.at_level(logging.INFO, "maskkit"):
        say_what_was_found(tree, space)
    assert "no photos are in bent, notes" in caplog.text


def test_the_task_and_the_command_that_keeps_it_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree = plant(tmp_path / "my parts", "ok/a.jpg", "bad/b.jpg")
    with caplog.at_level(logging.INFO, "maskkit"):
        say_what_was_found(tree, space_of_folders(tree))
    assert "2 classes, which make the task (class: bad, ok)" in caplog.text
    assert f"maskkit label '{tmp_path}/my parts' --print-task > task.toml" in caplog.text
    assert "no photos" not in caplog.text


def test_a_flat_folder_names_what_takes_it(tmp_path: Path) -> None:
    error = refused(plant(tmp_path, "a.jpg", "b.jpg"))
    assert "2 photos in no folder of a class" in error.what
    assert error.fix.startswith("list photos without classes by --unlabelled; or")


def test_photos_beside_class_folders_are_refused_with_the_task_that_lets_them_pass(tmp_path: Path) -> None:
    tree = plant(tmp_path, "loose.jpg", "ok/a.jpg", "bad/b.jpg")
    error = refused(tree)
    assert "1 photos in no folder, beside the folders bad, ok" in error.what
    task = error.fix.split("(")[1].split(")")[0]
    space = LabelSpace.from_toml(task)
    assert space == LabelSpace((Factor("class", ("bad", "ok")),))
    given = tree.listing(space, unlabelled=True).columns["label"].to_pylist()
    assert given == [None, 0, 1]


def test_one_folder_is_no_task(tmp_path: Path) -> None:
    error = refused(plant(tmp_path, "inner/ok/a.jpg", "inner/bad/a.jpg"))
    assert error.what == f"all photos of {tmp_path} are in its folder inner"
    assert f"give {tmp_path}/inner;" in error.fix
    assert "--unlabelled" in error.fix
    assert found(PhotoTree.of(tmp_path / "inner")) == {"class": ["bad", "ok"]}


@pytest.mark.parametrize("parts", [("train", "val"), ("Test", "Train", "valid")])
def test_parts_of_a_set_are_no_classes(tmp_path: Path, parts: tuple[str, ...]) -> None:
    error = refused(plant(tmp_path, *(f"{part}/{name}/a.jpg" for part in parts for name in ("ok", "bad"))))
    assert error.what == f"{tmp_path} has the folders {', '.join(parts)}"
    assert f"maskkit label {tmp_path}/{parts[0]} --print-task > task.toml" in error.fix


def test_nor_are_they_below_classes(tmp_path: Path) -> None:
    names = [f"{name}/{part}/a.jpg" for part in ("train", "val") for name in ("ok", "bad")]
    assert "train, val of the inner folders are no classes" in refused(plant(tmp_path, *names)).why


def test_one_of_the_classes_may_be_called_like_a_part(tmp_path: Path) -> None:
    assert found(plant(tmp_path, "test/a.jpg", "ok/b.jpg")) == {"class": ["ok", "test"]}


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("ok/a.jpg", "bad/deep/b.jpg"), "photos are in ok and, deeper, in bad/deep"),
        (("ok/a.jpg", "bad/b.jpg", "bad/deep/b.jpg"), "deeper, in bad/deep"),
        (("cat/siamese/a.jpg", "dog/beagle/b.jpg"), "there is no folder cat/beagle, dog/siamese"),
        (("ok/one/a.jpg", "bad/one/b.jpg"), "one of the inner folders are no classes"),
        (tuple(f"a{row}/{row}/a.jpg" for row in range(65)), "more than 4,096 classes"),
    ],
)
def test_folders_that_form_no_grid_are_refused_with_a_task_of_the_first(
    tmp_path: Path, names: tuple[str, ...], why: str
) -> None:
    tree = plant(tmp_path, *names)
    error = refused(tree)
    assert why in error.why
    if len(names) < 20:
        task = error.fix.split("--task: ")[1].split("; or")[0]
        assert len(labels(tree, LabelSpace.from_toml(task))) == len(names)
    else:
        assert '"a26", ...]}]' in error.fix


def test_a_folder_for_each_person_is_no_class(tmp_path: Path) -> None:
    error = refused(
        plant(tmp_path, *(f"{who}/{state}.jpg" for who in ("1_male", "2_male") for state in STATES))
    )
    assert "a folder for each person" in error.what
    assert "train.csv" in error.fix


def test_a_name_that_begins_or_ends_with_a_space_is_refused(tmp_path: Path) -> None:
    assert "has a folder 'ok '" in refused(plant(tmp_path, "ok /a.jpg", "bad/b.jpg")).what


def test_a_folder_may_be_elsewhere_but_not_have_two_names(tmp_path: Path) -> None:
    plant(tmp_path / "far", "a.jpg")
    plant(tmp_path / "tree", "ok/b.jpg")
    (tmp_path / "tree" / "bad").symlink_to(tmp_path / "far")
    tree = PhotoTree.of(tmp_path / "tree")
    assert labels(tree) == {"bad/a.jpg": 0, "ok/b.jpg": 1}
    (tmp_path / "tree" / "fine").symlink_to(tmp_path / "tree" / "ok")
    error = refused(PhotoTree.of(tmp_path / "tree"))
    assert error.what == f"fine and ok of {tmp_path / 'tree'} are the same folder"


def test_names_in_either_form_of_unicode_are_one_level(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    tree = plant(tmp_path, f"{composed}/a.jpg", f"{apart}/b.jpg", "ok/c.jpg")
    assert found(tree) == {"class": ["ok", composed]}
    assert labels(tree) == {"ok/c.jpg": 0, f"{composed}/a.jpg": 1, f"{apart}/b.jpg": 1}


def test_so_are_they_in_a_grid(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    tree = plant(tmp_path, f"{apart}/a/x.jpg", f"{composed}/b/x.jpg", "ok/a/x.jpg", "ok/b/x.jpg")
    assert found(tree) == {"factor1": ["ok", composed], "factor2": ["a", "b"]}


def test_the_task_that_is_said_names_twenty_levels_of_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree = plant(tmp_path, *(f"{year}/a.jpg" for year in range(2000, 2024)))
    with caplog.at_level(logging.INFO, "maskkit"):
        say_what_was_found(tree, space_of_folders(tree))
    assert "2018, 2019 and 4 more)" in caplog.text


@pytest.mark.parametrize("name", ['a "b" \\', "[x]", "a\nb", "\x7f", "#", "-rf", "한국", "😀"])
def test_any_name_is_kept_by_a_task_file(tmp_path: Path, name: str) -> None:
    space = space_of_folders(plant(tmp_path, f"{name}/a.jpg", "zz/b.jpg"))
    assert LabelSpace.from_toml(space.to_toml()) == space
    assert labels(PhotoTree.of(tmp_path), space)[f"{name}/a.jpg"] == space.names.index(name)


def test_folders_whose_names_are_not_utf8_are_no_levels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = os.fsdecode("폴더".encode("cp949"))
    tree = plant(tmp_path, f"{odd}/a.jpg", "ok/b.jpg", "bad/c.jpg")
    assert found(tree) == {"class": ["bad", "ok"]}
    assert len(tree.listing(space_of_folders(tree)).missing) == 1
    say_what_was_found(tree, space_of_folders(tree))
    assert "no photos are in" not in caplog.text


def test_a_tree_of_nothing_else_has_photos_that_are_refused_by_name(tmp_path: Path) -> None:
    assert space_of_folders(plant(tmp_path, os.fsdecode("사진.jpg".encode("cp949")))) == HOME


def test_a_tree_without_photos_is_refused(tmp_path: Path) -> None:
    assert "has no photos" in refused(plant(tmp_path, "ok/", "bad/x.txt")).what
