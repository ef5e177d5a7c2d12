"""`maskkit evaluate`: its options, what it prints, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import pty
from pathlib import Path

import pytest
from commandline import read_all, run, start
from trainings import some_answers

from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions

WORDS = ["evaluate", "folds.parquet", "oof.parquet"]


@pytest.fixture
def work(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folds.write(tmp_path / "folds.parquet")
    for name, right in (("oof", 0.6), ("other", 0.8)):
        probs = some_answers(folds, right=right, seed=len(name))
        header = Header("predictions", folds.space)
        given = Predictions(
            folds.table["path"], probs.argmax(1), probs, tuple(folds.space.names), folds.folds, header
        )
        (tmp_path / f"{name}.parquet").write_bytes(given.encode("parquet"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(text: str) -> dict[tuple[str, str, str], list[str]]:
    lines = [line.split("\t") for line in text.splitlines()]
    assert lines[0] == ["scope", "name", "measure", "value", "low", "high"]
    assert all(len(line) == 6 for line in lines)
    return {(line[0], line[1], line[2]): line[3:] for line in lines}


def test_a_pipe_gets_a_row_for_each_number(work: Path) -> None:
    found = rows_of(run(*WORDS, "--by", "gender,mask", "--against", "other.parquet").stdout)
    assert found["slice gender,mask", "male/wear", "photos"][0] == "60"
    value, low, high = map(float, found["slice gender,mask", "male/wear", "accuracy"])
    assert low <= value <= high
    assert ("boundary age", "-3", "error") in found
    assert ("boundary age 60", "+0", "error") in found
    assert float(found["calibration", "", "ece"][0]) >= 0
    assert sum(scope == "mistake" and measure == "loss" for scope, _, measure in found) == 20
    assert float(found["less other", "", "macro_f1"][0]) < 0
    assert 0 <= float(found["less other", "", "p_people"][0]) <= 1
    assert found["less other", "", "sentence"][0].startswith("oof is")


def test_json_has_the_same_and_keeps_its_first_keys(work: Path) -> None:
    result = run(*WORDS, "--by", "age:10", "--worst", "3", "--json")
    data = json.loads(result.stdout)
    assert list(data)[:5] == ["log_loss", "photos", "people", "photos_without_person", "macro_f1"]
    assert data["slices"][0]["slices"][0]["name"] == "10-19"
    assert len(data["mistakes"]) == 3
    assert data["against"] is None


def test_people_in_a_pipe_are_told_the_verdict_and_not_every_photo(work: Path) -> None:
    said = run(*WORDS, "--against", "other.parquet").stderr
    assert "read the test over people" in said
    assert "Worst mistakes" not in said


def test_a_terminal_shows_every_table(work: Path) -> None:
    ours, theirs = pty.openpty()
    done = start(*WORDS, "--by", "gender", "--against", "other.parquet", stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = read_all(ours)
    os.close(ours)
    assert done.wait() == 0
    for title in (
        "Classes",
        "by gender",
        "nearest cut",
        "Calibration",
        "Worst mistakes",
        "predictions changed",
    ):
        assert title in shown
    assert "McNemar" in shown


def test_a_score_as_high_as_asked_for_is_no_failure(work: Path) -> None:
    score = json.loads(run(*WORDS, "--json").stdout)["macro_f1"]["value"]
    assert run(*WORDS, "--fail-under", repr(score)).exit_code == 0
    assert run(*WORDS, "--fail-under", repr(math.nextafter(score, 1))).exit_code == 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--by", "age:zero"], "cannot be read"),
        (["--photos"], "photos are shown in the page of --html"),
        (["--html", "p.html", "--explain", "fold0.safetensors"], "is shown with --photos"),
        (["--worst", "-1"], "--worst"),
        (["--against", "-", "--by", "fold"], ""),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(words: list[str], why: str, work: Path) -> None:
    result = run("evaluate", "-" if "-" in words else "folds.parquet", "oof.parquet", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in " ".join(result.stderr.replace("│", " ").split())
    assert not (work / "p.html").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--by", "camera"], "there is no column 'camera'"),
        (["--by", "path,person_id,age:1", "--by", "weight"], "cannot be taken as it is"),
        (["--by", "face:q2"], "has no box"),
        (["--by", "brightness:q2", "--root", "nowhere"], "are not under nowhere"),
        (["--against", "folds.parquet"], "folds.parquet"),
        (["--against", "nowhere.parquet"], "nowhere.parquet"),
        (["--html", "p.html", "--photos", "--explain", "oof.parquet"], "takes a checkpoint"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_way_out(words: list[str], why: str, work: Path) -> None:
    result = run(*WORDS, *words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert why in " ".join(result.stderr.split())
    assert "fix:" in result.stderr
    assert not (work / "p.html").exists()


def test_the_page_holds_photos_only_where_they_are_asked_for(
    work: Path, train_csv: Path, folds: Manifest
) -> None:
    run(*WORDS, "--html", "plain.html")
    assert "data:image" not in Path("plain.html").read_text()
    shown = run(*WORDS, "--html", "shown.html", "--photos", "--worst", "4")
    assert shown.exit_code == 0
    worst, _, album = Path("shown.html").read_text().partition("Photos behind the cells</h2>")
    assert worst.count("data:image/jpeg") == 4
    assert album.count("data:image/jpeg") == album.count('id="photo-') > 100  # each photo that a cell opens
