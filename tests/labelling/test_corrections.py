from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.labelling.targets import TargetRules
from maskkit.labels import HOME
from maskkit.stages.label import label

PHOTOS = """path,person_id,mask,gender,age
a/1.jpg,007,wear,male,58
a/2.jpg,007,none,male,58
b/1.jpg,8,wear,female,
b/2.jpg,8,,female,
c.jpg,,incorrect,female,25.5
"""
Row = dict[str, object]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos.csv").write_text(PHOTOS)
    return tmp_path / "photos.csv"


def corrected(photos: Path, text: str) -> Manifest:
    source = Source("fix.csv", pa.py_buffer(text.encode()))
    return label(photos, corrections=source, no_check=True)


def row(manifest: Manifest, path: str) -> Row:
    found: Row = manifest.table.to_pylist()[manifest.paths.index(path)]
    index = found["label"]
    return {**found, "name": None if index is None else HOME.names[int(str(index))]}


def test_a_path_is_one_photo_and_a_person_all_of_theirs(photos: Path) -> None:
    text = "path,person_id,column,value,kind\n./a/1.jpg,,mask, none ,odd\n,007,gender,female,\n"
    after = corrected(photos, text)
    assert row(after, "a/1.jpg")["name"] == "none/female/30to59"
    assert row(after, "a/2.jpg")["name"] == "none/female/30to59"
    assert after.table["target"].equals(after.table["label"])
    assert after.table["origin"].to_pylist() == ["corrected", "corrected", "given", "given", "given"]
    assert Manifest.read(Source("x", after.to_bytes())).table.equals(after.table)


@pytest.mark.parametrize(
    ("value", "age", "name"),
    [
        ("61", 61, "wear/male/60plus"),
        ("29.5", 29.5, "wear/male/under30"),
        ("60plus", None, "wear/male/60plus"),
        ("30to59", 58, "wear/male/30to59"),  # the number says so already
    ],
)
def test_a_number_is_corrected_by_a_number_or_by_a_level_which_makes_another_number_unknown(
    photos: Path, value: str, age: float | None, name: str
) -> None:
    after = row(corrected(photos, f"path,column,value\na/1.jpg,age,{value}\n"), "a/1.jpg")
    assert (after["age"], after["name"]) == (age, name)
    assert after["origin"] == ("given" if age == 58 else "corrected")


def test_what_was_unknown_becomes_known(photos: Path) -> None:
    after = corrected(photos, "person_id,column,value\n8,mask,none\n8,age,under30\n")
    assert {row(after, path)["name"] for path in ("b/1.jpg", "b/2.jpg")} == {"none/female/under30"}


def test_a_level_that_no_label_can_keep_is_refused(photos: Path) -> None:
    with pytest.raises(MaskkitError, match=r"class is not known: line 2 \(person 8, age, under30\)"):
        corrected(photos, "person_id,column,value\n8,age,under30\n")


def test_what_changes_nothing_leaves_everything_as_it_was(photos: Path) -> None:
    after = corrected(photos, "path,column,value\na/1.jpg,gender,male\nc.jpg,age,25.50\n")
    assert after.table.equals(label(photos, no_check=True).table)
    assert after.header.history[0].options["corrections"] == "fix.csv"
    assert corrected(photos, "path,column,value\n").table.equals(after.table)


def test_a_line_for_a_path_wins_over_one_for_the_person_in_any_order(photos: Path) -> None:
    lines = [",007,gender,female", "a/2.jpg,,gender,male"]
    for order in (lines, lines[::-1]):
        after = corrected(photos, "\n".join(["path,person_id,column,value", *order]))
        assert [row(after, path)["gender"] for path in ("a/1.jpg", "a/2.jpg")] == ["female", "male"]
        assert row(after, "a/2.jpg")["origin"] == "given"


def test_lines_that_say_the_same_twice_are_as_good_as_one(photos: Path) -> None:
    text = "path,column,value\na/1.jpg,age,61\na/1.jpg,age,61.0\n"
    assert row(corrected(photos, text), "a/1.jpg")["age"] == 61


def test_what_was_expected_may_be_a_level_or_a_number(photos: Path) -> None:
    for expected in ("58", "58.0", "30to59", ""):
        after = corrected(photos, f"path,column,value,from\na/1.jpg,age,61,{expected}\n")
        assert row(after, "a/1.jpg")["age"] == 61


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,column,value,from\na/1.jpg,gender,female,female\n", r"`from` is not what .*: line 2"),
        ("path,column,value,from\na/1.jpg,age,61,57\n", r"`from` is not what .*: line 2"),
        ("path,column,value,from\nb/1.jpg,age,61,57\n", r"`from` is not what .*: line 2"),
        ("path,column,value,from\na/1.jpg,age,61,58\na/1.jpg,age,61,57\n", r"`from` is not what .*: line 3"),
        ("path,column,value,from\na/1.jpg,gender,female,man\n", r"gender cannot have: line 2"),
        ("path,column,value\n\na/1.jpg,gender,\n", r"the value is empty: line 3 \(a/1.jpg, gender, None\)"),
        ("path,column,value\na/1.jpg,label,3\n", r"columns cannot be corrected: line 2"),
        ("path,column,value\na/1.jpg,,3\n", r"columns cannot be corrected: line 2"),
        ("path,column,value\na/1.jpg,gender,man\n", r"values that gender cannot have: line 2"),
        ("path,column,value\na/1.jpg,age,nan\n", r"values that age cannot have: line 2"),
        ("path,column,value\na/9.jpg,age,3\n", r"photos that are not there: line 2"),
        ("person_id,column,value\n9,age,3\n", r"people who are not there: line 2"),
        ("path,column,value\na/1.jpg,age,2_5\n", r"values that age cannot have: line 2"),
        ("path,column,value\na/1.jpg,age,-1\n", r"values that age cannot have: line 2"),
        ("path,column,value\na/1.jpg,age,2014\n", r"values that age cannot have: line 2"),
        ("path,person_id,column,value\n,,age,3\n", r"no photo is named: line 2"),
        ("path,person_id,column,value\na/1.jpg,8,age,3\n", r"the person is not the one .*: line 2"),
        ("path,person_id,column,value\nc.jpg,8,age,3\n", r"the person is not the one .*: line 2"),
        ("path,column,value\na/1.jpg,age,3\na/1.jpg,age,4\n", r"two values .*: line 2 .*, line 3"),
        ("person_id,column,value\n8,gender,male\n8,gender,female\n", r"two values .*: line 2 .*, line 3"),
        ("path,value\na/1.jpg,age\n", r"has the columns path, value"),
        ("column,value\nage,3\n", r"has the columns column, value"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(photos: Path, text: str, message: str) -> None:
    with pytest.raises(MaskkitError, match=message) as caught:
        corrected(photos, text)
    assert "fix.csv" in caught.value.what


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("person_id;column;value\n7;age;61\n", "a/2.jpg"),  # 007, through a spreadsheet
        ("person_id\tcolumn\tvalue\n8.0\tage\t61\n", "b/1.jpg"),
        (" path ,column, value\na/1.jpg,age,61.0\n", "a/1.jpg"),
    ],
)
def test_a_table_that_went_through_a_spreadsheet_is_understood(photos: Path, text: str, path: str) -> None:
    assert row(corrected(photos, text), path)["age"] == 61


def test_many_bad_lines_are_named_up_to_three(photos: Path) -> None:
    lines = "".join(f"x{index}.jpg,age,3\n" for index in range(9))
    with pytest.raises(MaskkitError, match=r"line 2 .*line 4 .*and 6 more"):
        corrected(photos, "path,column,value\n" + lines)


def test_a_class_folder_knows_the_band_that_a_correction_of_another_factor_keeps(tmp_path: Path) -> None:
    (tmp_path / "tree/wear/male/60plus").mkdir(parents=True)
    (tmp_path / "tree/wear/male/60plus/x.jpg").touch()
    after = corrected(tmp_path / "tree", "path,column,value,from\nwear/male/60plus/x.jpg,mask,none,wear\n")
    assert row(after, "wear/male/60plus/x.jpg")["name"] == "none/male/60plus"


def test_the_file_is_an_input_of_the_record_with_its_digest(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "fix.csv").write_text("path,column,value\na/1.jpg,age,61\n")
    after = label(
        photos, corrections=tmp_path / "fix.csv", targets=TargetRules({"age": [30, 62]}), no_check=True
    )
    (given,) = [item for item in after.header.history[0].inputs if item.option == "corrections"]
    assert (given.path, given.sha256) == (str(tmp_path / "fix.csv"), Source.open(tmp_path / "fix.csv").sha256)
    assert row(after, "a/1.jpg")["target"] == 1  # cut from the corrected age
