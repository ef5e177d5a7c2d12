"""`maskkit eda` as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commandline import run
from PIL import Image

from maskkit.artifacts.manifest import Manifest


def facts(text: str) -> dict[tuple[str, str, str], str]:
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {(scope, name, measure): value for scope, name, measure, value in rows}


def test_takes_what_label_takes_and_a_manifest_alike(
    train_csv: Path, labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels.write("labels.parquet")
    found = [
        facts(run("eda", name).stdout) for name in (str(train_csv), str(train_csv.parent), "labels.parquet")
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["all", "", "people"] == "24"
    assert found[0]["colour", "", "mean"].count(",") == 2


def test_reads_a_table_in_the_encoding_given(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path\n사진.jpg\n".encode("cp949"))
    words = ["eda", str(tmp_path / "t.csv"), "--counts-only"]
    assert "--encoding cp949" in run(*words).stderr
    assert facts(run(*words, "--encoding", "cp949").stdout)["all", "", "photos"] == "1"


def test_takes_a_folder_of_photos_that_nobody_has_labelled(train_csv: Path) -> None:
    found = facts(run("eda", str(train_csv.parent / "images")).stdout)
    assert (found["all", "", "photos"], found["all", "", "labelled"], found["all", "", "people"]) == (
        "168",
        "0",
        "",
    )


def test_sees_class_folders_with_names_of_their_own_as_label_does(train_csv: Path, tmp_path: Path) -> None:
    for number, photo in enumerate(sorted((train_csv.parent / "images").glob("*/normal*"))):
        place = tmp_path / "parts" / ("ok", "scratched")[number % 2] / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(photo)
    folder = tmp_path / "parts"
    result = run("eda", str(folder), "--counts-only")
    found = facts(result.stdout)
    assert (found["all", "", "photos"], found["all", "", "labelled"]) == ("24", "24")
    assert (found["class", "ok", "photos"], found["class", "scratched", "photos"]) == ("12", "12")
    assert f"maskkit label {folder} --print-task > task.toml" in result.stderr
    # Where the folders are no classes, all that is in them is looked at all the same.
    (folder / "loose.jpg").symlink_to(photo)
    found = facts(run("eda", str(folder), "--counts-only").stdout)
    assert (found["all", "", "photos"], found["all", "", "labelled"]) == ("25", "0")


def test_a_broken_task_file_of_eda_is_an_error(train_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text("factors = 3")
    result = run("eda", str(train_csv.parent / "images"), "--task", str(tmp_path / "task.toml"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the task file cannot be read" in result.stderr


def test_a_folder_is_looked_at_where_it_is_whatever_the_variable_says(train_csv: Path) -> None:
    result = run("eda", str(train_csv), MASKKIT_ROOT="/nowhere")
    assert result.exit_code == 0, result.stderr


def test_names_missing_and_broken_photos_and_goes_on(train_csv: Path, tmp_path: Path) -> None:
    shutil.copytree(train_csv.parent, tmp_path / "copy")
    broken, missing, *_ = sorted((tmp_path / "copy" / "images").glob("*/mask1.jpg"))
    broken.write_bytes(b"no photo")
    missing.unlink()
    result = run("eda", str(tmp_path / "copy"))
    assert result.exit_code == 0
    assert missing.parent.name in result.stderr
    name = f"{broken.parent.name}/{broken.name}"
    assert facts(result.stdout)["left out", f"{missing.parent.name}/mask1", "why"] == "missing"
    assert facts(result.stdout)["unreadable", name, "why"] == "not a photo"


def test_counts_only_opens_no_photo(
    labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels.write("labels.parquet")
    result = run("eda", "labels.parquet", "--counts-only", "--root", "nowhere", "--json")
    found = json.loads(result.stdout)
    assert (found["photos"], found["pictures"]) == (168, None)


def test_rare_is_what_it_is_told_to_be(train_csv: Path) -> None:
    some, none = (
        json.loads(run("eda", str(train_csv), "--counts-only", "--json", "--rare", number).stdout)["rare"][
            "found"
        ]
        for number in ("30", "1")
    )
    assert len(some) > len(none)
    assert all(one["people"] == 0 for one in none)


def test_compares_two_sets(train_csv: Path, info_csv: Path) -> None:
    result = run("eda", str(train_csv), str(info_csv))
    assert result.exit_code == 0, result.stderr
    found = facts(result.stdout)
    assert found["photos", "second", "photos"] == "7"
    assert ("in both", "", "exact_duplicates") in found


def test_the_page_is_written_once_and_replaced_by_force(train_csv: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ["eda", str(train_csv), "--counts-only", "--html", str(page)]
    assert run(*words).exit_code == 0
    text = page.read_text()
    assert "<img" not in text
    assert run(*words).exit_code == 1
    assert run(*words, "--force").exit_code == 0
    assert page.read_text() == text


def test_names_are_shown_to_the_letter(tmp_path: Path) -> None:
    folder = tmp_path / "<script>[red]photos"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "[a].png")
    result = run("eda", str(folder), "--html", str(tmp_path / "page.html"), "--photos")
    assert result.exit_code == 0, result.stderr
    text = (tmp_path / "page.html").read_text()
    assert "&lt;script&gt;[red]photos" in text
    assert "<script>[" not in text


@pytest.mark.parametrize(
    "words",
    [
        "a b --counts-only",
        "a b --photos --html page.html",
        "a --photos",
        "a --other-root b",
        "- -",
        "a --photos --counts-only --html page.html",
    ],
)
def test_what_cannot_go_together_is_wrong_usage(words: str) -> None:
    assert run("eda", *words.split()).exit_code == 2
