"""`maskkit eda` as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commandline import run
from PIL import Image

from maskkit.artifacts.manifest import Manifest
from maskkit.stages.label import label


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


@pytest.fixture
def twins(train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Manifests of photos, the last of which is a copy of the first, and of others."""
    shutil.copytree(train_csv.parent, tmp_path / "train")
    photos = sorted((tmp_path / "train" / "images").rglob("*.jpg"))
    shutil.copy(photos[0], photos[-1])
    photos[9].write_bytes(b"no photo")
    monkeypatch.chdir(tmp_path)
    label("train/train.csv", no_check=True).write("labels.parquet")
    return tmp_path


@pytest.mark.parametrize("count", [2, 7])
def test_of_all_shards_the_page_and_the_findings_are_those_of_one_run(twins: Path, count: int) -> None:
    for number in range(count, 0, -1):
        made = run(
            "eda", "labels.parquet", "--half", "--shard", f"{number}/{count}", "-o", f"all/{number}.parquet"
        )
        assert (made.exit_code, made.stdout) == (0, f"all/{number}.parquet\n"), made.stderr
    known = ["--survey", "all", "--html"]
    for words in (["eda", "labels.parquet", "--half"], ["audit", "labels.parquet"]):
        whole, parts = run(*words, "--html", "whole.html"), run(*words, *known, "parts.html")
        assert (parts.exit_code, parts.stdout) == (whole.exit_code, whole.stdout)
        assert Path("parts.html").read_bytes() == Path("whole.html").read_bytes()
        assert "duplicate" in parts.stdout
        for page in ("whole.html", "parts.html"):
            Path(page).unlink()
    run("audit", "labels.parquet", "-o", "whole.parquet")
    run("audit", "labels.parquet", "--survey", "all/*.parquet", "-o", "parts.parquet")
    assert Path("parts.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def test_two_sets_are_compared_by_a_survey_of_each(twins: Path, info_csv: Path) -> None:
    label(info_csv).write("test.parquet")
    for name in ("labels", "test"):
        assert run("eda", f"{name}.parquet", "-o", f"{name}-survey.parquet").exit_code == 0
    known = ["--survey", "test-survey.parquet", "--survey", "labels-survey.parquet", "--root", "nowhere"]
    whole = run("eda", "labels.parquet", "test.parquet")
    found = run("eda", "labels.parquet", "test.parquet", *known)
    assert (found.exit_code, found.stdout) == (0, whole.stdout), found.stderr


def test_a_survey_names_the_photos_that_could_not_be_read(twins: Path) -> None:
    made = run("eda", "labels.parquet", "-o", "survey.parquet")
    assert made.exit_code == 0
    photos = sorted((twins / "train" / "images").rglob("*.jpg"))
    name = photos[9].relative_to(twins / "train" / "images")
    assert f"1 of 168 photos cannot be read: {name} (" in " ".join(made.stderr.split())


def test_a_survey_on_standard_output_is_joined_to_what_a_file_holds(twins: Path) -> None:
    run("eda", "labels.parquet", "-o", "whole.parquet")
    assert run("eda", "labels.parquet", "-o", "-").stdout_bytes == Path("whole.parquet").read_bytes()
    for number in (1, 2):
        run("eda", "labels.parquet", "--shard", f"{number}/2", "-o", f"all/{number}.parquet")
    run("join", "all", "-o", "joined.parquet")
    assert Path("joined.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    shown = json.loads(run("show", "joined.parquet", "--json").stdout)
    assert (shown["kind"], shown["photos"], shown["unreadable"]) == ("survey", 168, 1)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("--shard 1/2", "a share of the photos is no report"),
        ("-o x.parquet --html x.html", "--survey makes a report of that"),
        ("-o x.parquet --json", "--survey makes a report of that"),
        ("labels.parquet -o x.parquet", "a survey is of one set"),
        ("-o x.parquet --counts-only", "no photo is opened then"),
        ("-o x.parquet --survey y.parquet", "no photo is opened then"),
        ("--survey y.parquet --counts-only", "nothing is shown of photos"),
        ("--resume", "give one with --html or -o"),
    ],
)
def test_a_survey_is_asked_for_by_itself(twins: Path, more: str, why: str) -> None:
    result = run("eda", "labels.parquet", *more.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in " ".join(result.stderr.split())
