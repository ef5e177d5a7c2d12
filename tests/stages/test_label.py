from __future__ import annotations

import csv
import hashlib
import logging
import os
import shutil
import threading
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import draw_people, draw_photo, some_people
from PIL import Image

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.options.shard import Shard
from maskkit.sources.given_photos import task_of_folder
from maskkit.sources.layouts import STATES
from maskkit.stages.label import label

HEADER = "path,mask,gender,age\n"
TASK = """
[[factors]]
name = "hat"
levels = ["yes", "no"]
[[factors]]
name = "height"
levels = ["short", "tall"]
cuts = [1.7]
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with three photos, to be listed by tables."""
    for index, name in enumerate(["a.jpg", "b.PNG", "with space/é 한글.jpeg"]):
        draw_photo(tmp_path / name, mask="wear", gender="male", age=20, seed=index)
    return tmp_path


def table(folder: Path, text: str, *, name: str = "t.csv") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def column(manifest: Manifest, name: str) -> list[object]:
    return list(manifest.table[name].to_pylist())


def test_numbers_are_read_as_pandas_writes_them_beside_missing_ones(tmp_path: Path) -> None:
    text = "path,person_id,mask,gender,age,label\na,12.0,wear,male,57.0,1.0\nb,,wear,male,20.0,\n"
    manifest = label(table(tmp_path, text), no_check=True)
    assert column(manifest, "person_id") == ["12", None]
    assert column(manifest, "label") == [1, 0]
    assert column(manifest, "age") == [57, 20]
    text = "path,person_id,mask,gender,age\na,12.0,wear,male,57\nb,x.0,wear,male,20\n"
    assert column(label(table(tmp_path, text), no_check=True), "person_id") == ["12.0", "x.0"]


def test_levels_that_are_numbers_are_too(tmp_path: Path) -> None:
    task = table(tmp_path, '[[factors]]\nname = "hat"\nlevels = ["0", "1", "2.0"]\n', name="task.toml")
    manifest = label(table(tmp_path, "path,hat\na,1.0\nb,\nc,2.0\nd,0\n"), task=task, no_check=True)
    assert column(manifest, "hat") == ["1", None, "2.0", "0"]


def test_levels_in_another_form_of_unicode_are_the_same(tmp_path: Path) -> None:
    task = table(tmp_path, '[[factors]]\nname = "모자"\nlevels = ["있음", "없음"]\n', name="task.toml")
    text = unicodedata.normalize("NFD", "path,모자\na,없음\nb,있음\n")
    assert column(label(table(tmp_path, text), task=task, no_check=True), "모자") == ["없음", "있음"]


AGES = HEADER + "a,wear,male,-1\nb,wear,male,120\nc,wear,male,2014\nd,wear,male,0\ne,wear,male,\n"


def test_ages_that_nobody_has_are_refused_by_photo(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="2 photos have an age below 0 or above 120") as caught:
        label(table(tmp_path, AGES), no_check=True)
    assert caught.value.why == "a (age -1), c (age 2014)"
    assert "--skip-bad" in caught.value.fix


def test_they_are_unknown_and_in_no_band_if_that_is_wanted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = label(table(tmp_path, AGES), no_check=True, skip_bad=True)
    assert column(manifest, "age") == [None, 120, None, 0, None]
    assert column(manifest, "label") == [None, 2, None, 0, None]
    assert "the age of 2 photos is below 0 or above 120" in caplog.text


def test_a_correction_of_such_an_age_is_enough(tmp_path: Path) -> None:
    fix = table(tmp_path, "path,column,value\na,age,31\nc,age,60plus\n", name="fix.csv")
    with pytest.raises(MaskkitError, match="1 photos have an age"):  # a level is no number
        label(table(tmp_path, AGES), corrections=fix, no_check=True)
    fix = table(tmp_path, "path,column,value\na,age,31\nc,age,70\n", name="fix.csv")
    manifest = label(table(tmp_path, AGES), corrections=fix, no_check=True)
    assert column(manifest, "age") == [31, 120, 70, 0, None]


def test_another_number_may_be_anything(tmp_path: Path) -> None:
    text = "path,hat,height\na,yes,-1\nb,no,2014\n"
    task = table(tmp_path, TASK, name="task.toml")
    assert column(label(table(tmp_path, text), task=task, no_check=True), "height") == [-1, 2014]


def test_a_number_with_an_underscore_is_none(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError, match="age is '2_5' in row 1"):
        label(table(tmp_path, HEADER + "a,wear,male,2_5\n"), no_check=True)


@pytest.mark.parametrize("is_folder", [False, True])
def test_the_encoding_given_is_that_of_tables_and_corrections_and_recorded(
    tmp_path: Path, is_folder: bool
) -> None:
    (tmp_path / "info.csv").write_bytes("ImageID\n마스크.jpg\n".encode("cp949"))
    (tmp_path / "fix.csv").write_bytes("path,column,value\n마스크.jpg,gender,male\n".encode("cp949"))
    source = tmp_path if is_folder else Source.open(tmp_path / "info.csv", encoding="cp949")
    manifest = label(
        source, corrections=tmp_path / "fix.csv", encoding="cp949", root=str(tmp_path), no_check=True
    )
    assert manifest.paths == ["마스크.jpg"]
    assert column(manifest, "gender") == ["male"]
    assert manifest.header.history[-1].options["encoding"] == "cp949"


@pytest.fixture
def decomposed(shelf: Path) -> str:
    """The path, in NFC, of a photo that is on the shelf in NFD."""
    name = "with space/é 한글.jpeg"
    (shelf / name).rename(shelf / unicodedata.normalize("NFD", name))
    return name


def test_a_path_is_found_in_the_form_of_unicode_that_is_on_disk(
    shelf: Path, decomposed: str, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = label(table(shelf, f"path\na.jpg\n{decomposed}\n"))
    assert manifest.paths == ["a.jpg", unicodedata.normalize("NFD", decomposed)]
    assert manifest.header.history[-1].found == {"other_unicode_form": 1}
    assert "1 photos are on disk in another form of Unicode" in caplog.text
    same = label(table(shelf, f"path\na.jpg\n{manifest.paths[1]}\n"))
    assert (same.paths, same.header.history[-1].found) == (manifest.paths, {})


def test_a_photo_listed_in_both_forms_is_listed_twice(shelf: Path, decomposed: str) -> None:
    both = f"{decomposed}\n{unicodedata.normalize('NFD', decomposed)}\n"
    with pytest.raises(MaskkitError, match="lists photos twice"):
        label(table(shelf, f"path\n{both}"))


def test_a_correction_of_a_path_in_the_other_form_is_of_that_photo(shelf: Path, decomposed: str) -> None:
    fix = table(shelf, f"path,column,value\n{decomposed},age,31\n", name="fix.csv")
    manifest = label(table(shelf, f"{HEADER}{decomposed},wear,male,20\n"), corrections=fix)
    assert column(manifest, "age") == [31]


def test_photos_whose_names_are_not_utf8_are_named_or_left_out(shelf: Path) -> None:
    (shelf / "a.jpg").rename(shelf / os.fsdecode("사진.jpg".encode("cp949")))
    with pytest.raises(MaskkitError, match="1 of 3 photos cannot be used") as caught:
        label(shelf, unlabelled=True)
    assert caught.value.why.endswith(r"xf8.jpg (its name is not UTF-8; in CP949 it is 사진.jpg)")
    manifest = label(shelf, unlabelled=True, skip_bad=True)
    assert len(manifest) == 2
    assert list(manifest.header.facts["left_out"]) == [r"\xbb\xe7\xc1\xf8.jpg"]
    assert Manifest.read(Source("m", manifest.to_bytes())).paths == manifest.paths


@pytest.mark.parametrize("skip_bad", [False, True])
def test_nothing_but_such_photos_is_an_error(tmp_path: Path, skip_bad: bool) -> None:
    draw_photo(tmp_path / os.fsdecode(b"\xff.jpg"), mask="wear", gender="male", age=20, seed=0)
    with pytest.raises(MaskkitError, match="1 photos can") as caught:
        label(tmp_path, unlabelled=True, skip_bad=skip_bad)
    assert r"\xff.jpg (its name is not UTF-8)" in caught.value.why


@pytest.mark.parametrize(("path", "what"), [("a" * 5000, "cannot be used|none of"), ("a\0b", "a NUL")])
def test_paths_that_no_file_can_have_are_refused(shelf: Path, path: str, what: str) -> None:
    pq.write_table(pa.table({"path": ["a.jpg", path]}), shelf / "t.parquet")
    with pytest.raises(MaskkitError, match=what):
        label(Source.open(shelf / "t.parquet"))


def test_gives_seven_photos_of_each_person_their_class(train_csv: Path, labels: Manifest) -> None:
    assert len(labels) == 24 * 7
    assert len(labels.people) == 24
    assert (labels.labels >= 0).all()
    with train_csv.open() as file:
        people = {row["path"]: row for row in csv.DictReader(file)}
    for path, person, index in zip(labels.paths, column(labels, "person_id"), labels.labels, strict=True):
        folder, name = path.split("/")
        row = people[folder]
        band = "under30" if int(row["age"]) < 30 else "60plus" if int(row["age"]) >= 60 else "30to59"
        assert person == row["id"]
        assert HOME.names[index] == f"{STATES[Path(name).stem]}/{row['gender']}/{band}"


def test_makes_the_columns_of_the_design_in_their_types(labels: Manifest) -> None:
    types = {field.name: str(field.type) for field in labels.table.schema}
    assert types == {
        "path": "string",
        "person_id": "string",
        **dict.fromkeys(("mask", "gender"), "dictionary<values=string, indices=int16, ordered=0>"),
        "age": "int16",
        "label": "int16",
        "target": "int16",
        "weight": "float",
        "origin": "dictionary<values=string, indices=int16, ordered=0>",
    }
    assert labels.table["target"].equals(labels.table["label"])
    assert set(column(labels, "weight")) == {1.0}
    assert set(column(labels, "origin")) == {"given"}


def test_a_folder_with_train_csv_is_read_by_it(train_csv: Path, labels: Manifest) -> None:
    assert label(train_csv.parent).table.equals(labels.table)
    assert label(str(train_csv.parent)).table.equals(labels.table)


def test_the_same_photos_give_the_same_bytes(train_csv: Path, labels: Manifest) -> None:
    again = label(train_csv).to_bytes()
    assert again.equals(labels.to_bytes())
    assert Manifest.read(Source("x", again)).table.equals(labels.table)


def test_the_record_says_what_was_read_and_changes_with_any_photo(tmp_path: Path) -> None:
    train = draw_people(tmp_path, some_people(2))
    first = label(train).header.history[0]
    assert first.options == {
        "root": str(tmp_path / "images"),
        "task": None,
        "corrections": None,
        "unlabelled": False,
        "train_cuts": {},
        "train_spread": {},
        "ignore": {},
        "skip_bad": False,
        "no_check": False,
    }
    assert [(item.path, item.option) for item in first.inputs] == [
        (str(train), None),
        (str(tmp_path / "images"), "root"),
    ]
    assert first.inputs[0].sha256 == Source.open(train).sha256
    photo = next((tmp_path / "images").glob("*/mask3.jpg"))
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "new.jpg")
    (tmp_path / "new.jpg").replace(photo)
    second = label(train).header.history[0]
    assert second.inputs[0] == first.inputs[0]
    assert second.inputs[1].sha256 != first.inputs[1].sha256
    assert second.id != first.id


def test_photos_need_not_be_opened_or_even_be_there_and_the_record_says_so(
    train_csv: Path, labels: Manifest, tmp_path: Path
) -> None:
    quick = label(train_csv, no_check=True)
    assert quick.table.equals(labels.table)
    record, checked = quick.header.history[0], labels.header.history[0]
    assert record.options == {**checked.options, "no_check": True}
    assert record.inputs[0] == checked.inputs[0]
    names = "".join(f"- {path}\n" for path in labels.paths)
    assert record.inputs[1].sha256 == hashlib.sha256(names.encode()).hexdigest()
    assert label(table(tmp_path, "path\nnowhere.jpg\n"), no_check=True).paths == ["nowhere.jpg"]


def test_a_photo_that_a_layout_promises_is_missed_without_opening_any(tmp_path: Path) -> None:
    train = draw_people(tmp_path, some_people(2))
    next((tmp_path / "images").glob("*/mask3.jpg")).unlink()
    with pytest.raises(MaskkitError, match="1 of 14 photos cannot be used"):
        label(train, no_check=True)
    assert len(label(train, no_check=True, skip_bad=True)) == 13


def test_the_test_layout_keeps_the_order_of_info_csv_and_knows_nothing(info_csv: Path) -> None:
    manifest = label(info_csv)
    with info_csv.open() as file:
        assert manifest.paths == [row["ImageID"] for row in csv.DictReader(file)]
    for name in ("person_id", "mask", "gender", "age", "label", "target"):
        assert manifest.table[name].null_count == 7
    assert "ans" not in manifest.table.column_names
    assert label(info_csv.parent).paths == manifest.paths


def edge(folder: Path) -> Path:
    """Draw every awkward file that the competition's archive, or a Mac, is known to hold."""
    people = [
        (name, "female", 30) for name in ("jpeg", "png", "mac", "001498-1", "missing", "broken", "colours")
    ]
    train = draw_people(folder, people)
    images = {person: folder / "images" / f"{person}_female_Asian_30" for person, *_ in people}
    for photo in images["jpeg"].iterdir():
        photo.rename(photo.with_suffix(".JPEG"))
    for photo in images["png"].iterdir():
        with Image.open(photo) as image:
            image.save(photo.with_suffix(".png"))
        photo.unlink()
    (images["mac"] / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    (images["mac"] / "._mask1.jpg").write_bytes(b"\x00\x05\x16\x07")
    (folder / "images" / "._mac_female_Asian_30").write_bytes(b"\x00\x05\x16\x07")
    (images["missing"] / "mask4.jpg").unlink()
    (images["broken"] / "mask2.jpg").write_bytes((images["broken"] / "mask2.jpg").read_bytes()[:400])
    (images["broken"] / "mask3.jpg").write_bytes(b"")
    (images["broken"] / "mask4.jpg").write_text("an error page, saved as a photo")
    (images["broken"] / "mask5.png").write_bytes((images["broken"] / "mask5.jpg").read_bytes())
    for name, mode in (("mask1", "L"), ("mask5", "CMYK")):
        with Image.open(images["colours"] / f"{name}.jpg") as image:
            converted = image.convert(mode)
        converted.save(images["colours"] / f"{name}.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(images["colours"] / "normal.jpg") as image:
        image.load()
    image.save(images["colours"] / "normal.jpg", exif=exif)
    return train


def test_awkward_files_stop_it_with_a_count_and_each_name(tmp_path: Path) -> None:
    with pytest.raises(MaskkitError) as caught:
        label(edge(tmp_path))
    assert caught.value.what == "5 of 49 photos cannot be used"
    for part in (
        "missing_female_Asian_30/mask4 (missing)",
        "broken_female_Asian_30/mask2.jpg (cut off)",
        "broken_female_Asian_30/mask3.jpg (empty)",
        "broken_female_Asian_30/mask4.jpg (not a photo)",
        "broken_female_Asian_30/mask5 (two files: mask5.jpg, mask5.png)",
    ):
        assert part in caught.value.why
    assert "--skip-bad" in caught.value.fix


def test_photos_that_are_not_there_are_said_by_the_first_shard_alone(tmp_path: Path) -> None:
    train = edge(tmp_path)
    parts = [label(train, skip_bad=True, shard=Shard(one, 2)) for one in (1, 2)]
    left_out = [part.header.facts.get("left_out", {}) for part in parts]
    assert ["missing_female_Asian_30/mask4" in of for of in left_out] == [True, False]


def test_skip_bad_leaves_out_exactly_these_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = edge(tmp_path)
    with caplog.at_level(logging.WARNING, "maskkit"):
        manifest = label(train, skip_bad=True)
    assert len(manifest) == 44
    assert "left out 5 of 49 photos" in caplog.text
    assert "mask4 (missing)" in caplog.text
    counts = {
        name: int((manifest.people.codes == code).sum()) for code, name in enumerate(manifest.people.names)
    }
    assert counts == {"jpeg": 7, "png": 7, "mac": 7, "001498-1": 7, "missing": 6, "broken": 3, "colours": 7}
    assert not any("/." in path for path in manifest.paths)
    assert manifest.header.history[0].options["skip_bad"] is True
    assert label(train, skip_bad=True).to_bytes().equals(manifest.to_bytes())


def test_many_bad_photos_are_named_up_to_a_number_and_counted(tmp_path: Path) -> None:
    train = draw_people(tmp_path, some_people(8))
    for photo in list(tmp_path.glob("images/*/*.jpg"))[:30]:
        photo.write_bytes(b"")
    with pytest.raises(MaskkitError, match="30 of 56 photos") as caught:
        label(train)
    assert caught.value.why.endswith("and 10 more")


def test_when_no_photo_is_there_it_is_the_root_that_is_wrong(train_csv: Path, tmp_path: Path) -> None:
    for skip_bad in (False, True):
        with pytest.raises(MaskkitError, match=f"none of the 168 photos is under {tmp_path}") as caught:
            label(train_csv, root=str(tmp_path), skip_bad=skip_bad)
        assert "--root" in caught.value.fix


def test_when_every_photo_is_bad_skipping_does_not_help(shelf: Path) -> None:
    (shelf / "a.jpg").write_bytes(b"")
    with pytest.raises(MaskkitError, match="none of 1 photos can be used"):
        label(table(shelf, "path\na.jpg\n"), skip_bad=True)


def test_the_root_is_the_option_or_found_beside_the_table(
    shelf: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert label(table(shelf, "path\na.jpg\n")).root == shelf
    far = table(tmp_path_factory.mktemp("far"), "path\na.jpg\n")
    assert label(far, root=str(shelf)).root == shelf
    (far.parent / "images").symlink_to(shelf)
    assert label(far).root == far.parent / "images"


def test_a_table_gives_factors_people_and_columns_of_its_own(shelf: Path) -> None:
    text = (
        "path,site,person_id,mask,gender,age\n"
        "with space/é 한글.jpeg,Seoul,007,incorrect,female,60\n"
        "./a.jpg,,x, wear ,male,29.0\n"
    )
    manifest = label(table(shelf, text))
    assert manifest.paths == ["with space/é 한글.jpeg", "a.jpg"]
    assert column(manifest, "person_id") == ["007", "x"]
    assert column(manifest, "site") == ["Seoul", None]
    assert column(manifest, "age") == [60, 29]
    assert manifest.labels.tolist() == [11, 0]


def test_a_parquet_table_is_read_like_a_csv(shelf: Path) -> None:
    frame = pd.DataFrame(
        {
            "path": ["a.jpg", "b.PNG"],
            "person_id": pd.array([7, None], "Int64"),
            "mask": pd.Categorical(["none", "wear"]),
            "gender": ["male", None],
            "age": [25.5, np.nan],
        }
    )
    frame.to_parquet(shelf / "no suffix")
    manifest = label(shelf / "no suffix")
    assert manifest.table.schema.field("age").type == pa.float64()
    assert column(manifest, "age") == [25.5, None]
    assert column(manifest, "person_id") == ["7", None]
    assert manifest.labels.tolist() == [12, -1]


@pytest.mark.parametrize("path", ["./a.jpg", "././/a.jpg", ".//./a.jpg", "x/../a.jpg", "./x//../a.jpg"])
def test_a_path_is_kept_in_its_shortest_spelling(shelf: Path, path: str) -> None:
    manifest = label(table(shelf, f"path\nb.PNG\n{path}\n"), no_check=True)
    assert manifest.paths == ["b.PNG", "a.jpg"]


def test_people_may_be_numbers_of_any_kind(shelf: Path) -> None:
    ids = {"whole": [20221016001.0, np.nan], "halves": [7.5, 8.0], "flags": [True, False]}
    expected = {"whole": ["20221016001", None], "halves": ["7.5", "8"], "flags": ["True", "False"]}
    for name, values in ids.items():
        pd.DataFrame({"path": ["a.jpg", "b.PNG"], "person_id": values}).to_parquet(shelf / name)
        assert column(label(shelf / name), "person_id") == expected[name]
    lists = pa.table({"path": ["a.jpg"], "person_id": [[1]]})
    pq.write_table(lists, shelf / "lists")
    with pytest.raises(MaskkitError, match=r"person_id of .*lists holds list"):
        label(shelf / "lists")


def test_a_table_may_come_through_a_pipe(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(shelf / "pipe")
    writer = threading.Thread(target=lambda: (shelf / "pipe").write_text(HEADER + "a.jpg,wear,male,3\n"))
    writer.start()
    assert label(shelf / "pipe").labels.tolist() == [0]
    writer.join()
    monkeypatch.chdir(shelf)
    assert label(Source("-", pa.py_buffer(b"path\na.jpg\n"))).root == Path()


def test_rows_with_an_unknown_factor_have_no_label(shelf: Path) -> None:
    text = HEADER + "a.jpg,wear,male,\nb.PNG,,male,20\nwith space/é 한글.jpeg,,,\n"
    manifest = label(table(shelf, text))
    assert manifest.labels.tolist() == [-1, -1, -1]
    assert column(manifest, "mask") == ["wear", None, None]
    assert column(manifest, "age") == [None, 20, None]


@pytest.mark.parametrize(
    ("text", "years"),
    [("25", 25), ("25.0", 25), (" 25 ", 25), ("+25", 25), ("25.5", 25.5), ("nan", None), ("", None)],
)
def test_ages_are_kept_as_given(shelf: Path, text: str, years: float | None) -> None:
    assert column(label(table(shelf, f"{HEADER}a.jpg,wear,male,{text}\n")), "age") == [years]


@pytest.mark.parametrize(("age", "band"), [(29, 0), (29.9, 0), (30, 1), (59, 1), (60, 2), (120, 2)])
def test_a_band_begins_at_its_cut(shelf: Path, age: float, band: int) -> None:
    assert label(table(shelf, f"{HEADER}a.jpg,wear,male,{age}\n")).labels.tolist() == [band]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a.jpg,Wear,male,20", "mask has the values Wear"),
        ("a.jpg,wear,m,20", "gender has the values m"),
        ("a.jpg,wear,male,old", "age is 'old' in row 1"),
        ("a.jpg,wear,male,inf", "age is 'inf' in row 1"),
        ("a.jpg,wear,male,NA", "age is 'NA' in row 1"),
        (",wear,male,20", "has no path in row 1"),
        ("a.jpg,wear,male,20\n./a.jpg,wear,male,20", "lists photos twice: a.jpg"),
        ("../a.jpg,wear,male,20", "not under a root: ../a.jpg"),
        ("/etc/passwd,wear,male,20", "not under a root: /etc/passwd"),
        ("b/../../a.jpg,wear,male,20", "not under a root: ../a.jpg"),
    ],
)
def test_a_bad_value_is_refused_before_any_photo_is_decoded(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, row: str, what: str
) -> None:
    monkeypatch.setattr("maskkit.stages.label.check_photos", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(MaskkitError) as caught:
        label(table(shelf, f"{HEADER}{row}\n"))
    assert what in caught.value.what


def test_a_label_column_may_hold_class_numbers_or_names(shelf: Path) -> None:
    text = "path,label\na.jpg,4\nb.PNG,none/male/60plus\nwith space/é 한글.jpeg,\n"
    assert label(table(shelf, text)).labels.tolist() == [4, 14, -1]


@pytest.mark.parametrize("value", ["18", "-1", "4.5", "masked"])
def test_a_label_that_is_no_class_is_refused(shelf: Path, value: str) -> None:
    with pytest.raises(MaskkitError, match="label has the values") as caught:
        label(table(shelf, f"path,label\na.jpg,{value}\n"))
    assert "0 to 17" in caught.value.why


def test_a_label_column_that_contradicts_the_factors_is_refused(shelf: Path) -> None:
    with pytest.raises(MaskkitError, match="the label of 1 rows is not what their factors say"):
        label(table(shelf, "path,label,mask,gender,age\na.jpg,4,wear,male,20\n"))


def test_columns_of_later_stages_are_made_anew_and_that_is_said(
    folds: Manifest, train_csv: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folds.table.to_pandas().to_csv(tmp_path / "edited.csv", index=False)
    with caplog.at_level(logging.WARNING, "maskkit"):
        again = label(tmp_path / "edited.csv", root=str(train_csv.parent / "images"))
    assert "fold" in caplog.text
    assert again.table.equals(folds.table.drop_columns(["fold"]))


def test_a_tree_of_class_folders_is_its_own_root(tmp_path: Path) -> None:
    for index, name in enumerate(HOME.names):
        mask, gender, _ = name.split("/")
        draw_photo(tmp_path / name.replace("/", "_") / "x.jpg", mask=mask, gender=gender, age=40, seed=index)
    manifest = label(tmp_path)
    assert sorted(manifest.labels.tolist()) == list(range(18))
    assert manifest.root == tmp_path
    assert manifest.table["age"].null_count == 18
    record = manifest.header.history[0]
    assert [item.path for item in record.inputs] == [str(tmp_path)] * 2
    assert record.inputs[0].sha256 == record.inputs[1].sha256
    assert label(tmp_path, root=str(tmp_path)).table.equals(manifest.table)
    with pytest.raises(MaskkitError, match="is a tree of class folders, and --root is"):
        label(tmp_path, root=str(tmp_path.parent))


def parts(folder: Path) -> Path:
    for index in range(8):
        name = folder / ("ok", "scratched")[index % 2] / f"{index // 4}_{index}.jpg"
        draw_photo(name, mask="wear", gender="male", age=40, seed=index)
    return folder


def test_folders_with_names_of_their_own_name_classes_and_the_task_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "maskkit"):
        manifest = label(parts(tmp_path / "parts"))
    assert manifest.space.names == ["ok", "scratched"]
    assert manifest.labels.tolist() == [0] * 4 + [1] * 4
    assert manifest.table["person_id"].null_count == 8
    assert "make the task (class: ok, scratched)" in caplog.text
    assert task_of_folder(tmp_path / "parts") == manifest.space


def test_a_task_that_is_given_does_not_depend_on_which_folders_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = table(tmp_path, task_of_folder(parts(tmp_path / "parts")).to_toml(), name="task.toml")
    shutil.rmtree(tmp_path / "parts" / "ok")
    with caplog.at_level(logging.INFO, "maskkit"):
        manifest = label(tmp_path / "parts", task=task)
    assert manifest.labels.tolist() == [1] * 4
    assert "make the task" not in caplog.text


def test_photos_that_are_wanted_without_labels_make_no_task_of_their_folders(tmp_path: Path) -> None:
    manifest = label(parts(tmp_path), unlabelled=True)
    assert manifest.space == HOME
    assert manifest.table["label"].null_count == 8


def test_people_come_from_the_names_of_files(tmp_path: Path) -> None:
    manifest = label(parts(tmp_path), person_from=r"(\d+)_.*")
    assert column(manifest, "person_id") == ["0", "0", "1", "1"] * 2
    assert manifest.header.history[0].options["person_from"] == r"(\d+)_.*"
    assert "person_from" not in label(tmp_path).header.history[0].options


def test_people_of_a_table_come_from_names_too_unless_it_has_them(shelf: Path) -> None:
    text = HEADER + "a.jpg,wear,male,20\nb.PNG,wear,male,20\n"
    manifest = label(table(shelf, text), person_from=r"(.)\..*")
    assert column(manifest, "person_id") == ["a", "b"]
    with pytest.raises(MaskkitError, match="names people itself"):
        label(table(shelf, "path,person_id\na.jpg,1\n"), person_from=r"(.)\..*")


def test_another_label_space_comes_from_a_task_file(shelf: Path) -> None:
    task = table(shelf, TASK, name="task.toml")
    text = "path,hat,height\na.jpg,yes,1.7\nb.PNG,no,1.69\nwith space/é 한글.jpeg,no,\n"
    manifest = label(table(shelf, text), task=task)
    assert manifest.space.names == ["yes/short", "yes/tall", "no/short", "no/tall"]
    assert manifest.labels.tolist() == [1, 2, -1]
    record = manifest.header.history[0]
    assert record.options["task"] == str(task)
    assert record.inputs[-1].option == "task"
    assert record.inputs[-1].sha256 == Source.open(task).sha256
    with pytest.raises(MaskkitError, match="no column path, mask, gender, age"):
        label(table(shelf, "hat,height\nyes,1\n"))


def test_a_factor_may_have_very_many_levels(shelf: Path) -> None:
    levels = [f"id{index}" for index in range(300)]
    task = table(shelf, f"[[factors]]\nname = 'who'\nlevels = {levels}\n", name="task.toml")
    manifest = label(table(shelf, "path,who\na.jpg,id299\nb.PNG,id128\n"), task=task)
    assert manifest.labels.tolist() == [299, 128]
    assert Manifest.read(Source("x", manifest.to_bytes())).labels.tolist() == [299, 128]


@pytest.mark.parametrize("name", ["nowhere", "nowhere/train.csv", "a.jpg", "empty.csv", "rows.csv", "hollow"])
def test_what_lists_no_photos_is_an_error_that_names_it(shelf: Path, name: str) -> None:
    (shelf / "empty.csv").touch()
    (shelf / "rows.csv").write_text(HEADER)
    (shelf / "hollow").mkdir()
    with pytest.raises(MaskkitError) as caught:
        label(shelf / name)
    assert str(shelf / name) in caught.value.what


def test_a_bad_task_file_is_an_error(shelf: Path) -> None:
    with pytest.raises(MaskkitError, match="cannot be read"):
        label(table(shelf, "path\na.jpg\n"), task=table(shelf, "levels = 3", name="task.toml"))


def test_incomplete_photos_are_named_and_taken(shelf: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = (shelf / "a.jpg").read_bytes()
    (shelf / "half.jpg").write_bytes(whole[: 9 * len(whole) // 10] + b"\xff\xd9")
    (shelf / "without end.jpg").write_bytes(whole[:-2])
    manifest = label(shelf, unlabelled=True)
    assert "half.jpg" in manifest.paths
    (record,) = caplog.records
    assert record.getMessage() == (
        "1 of 5 photos are incomplete or damaged, and taken as they are (`maskkit audit` lists them): "
        "half.jpg (incomplete: its data end before its pixels do)"
    )
