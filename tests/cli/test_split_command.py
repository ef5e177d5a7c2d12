from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from commandline import error_parts, run

from maskkit.artifacts.manifest import Manifest


@pytest.fixture
def work(labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with labels, of which half of the people share a photo with another one."""
    person = labels.people.codes
    first = np.unique(person, return_index=True)[1]  # a photo of each person
    names: list[str | None] = [None] * len(labels)
    for code, row in enumerate(first[:12]):
        names[row] = f"copy {code // 2}"
    labels.then("audit", {"duplicate_group": pa.array(names, pa.string())}).write(tmp_path / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def split(*words: str) -> Any:
    return run("split", "labels.parquet", "--folds", "3", *words)


@pytest.mark.parametrize("repeats", [1, 3])
def test_each_repeat_is_what_its_seed_alone_gives(work: Path, repeats: int) -> None:
    made = split("--repeats", str(repeats), "--seed", "5", "-o", "new/folds{repeat}.parquet")
    assert made.exit_code == 0, made.stderr
    assert made.stdout.splitlines() == [f"new/folds{number}.parquet" for number in range(repeats)]
    contents = set()
    for number in range(repeats):
        split("--seed", str(5 + number), "-o", f"alone{number}.parquet")
        contents.add(Path(f"new/folds{number}.parquet").read_bytes())
        assert Path(f"alone{number}.parquet").read_bytes() in contents
    assert len(contents) == repeats


@pytest.mark.parametrize("words", [(), ("-o", "-"), ("-o", "folds.parquet")])
def test_repeats_need_a_name_with_a_placeholder(work: Path, words: tuple[str, ...]) -> None:
    result = split("--repeats", "2", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "folds{repeat}.parquet" in result.stderr
    assert [path.name for path in work.iterdir()] == ["labels.parquet"]


def test_no_repeat_is_written_if_one_of_them_exists(work: Path) -> None:
    (work / "folds1.parquet").write_text("mine")
    result = split("--repeats", "2", "-o", "folds{repeat}.parquet")
    assert result.exit_code == 1
    assert "folds1.parquet exists already" in result.stderr
    assert not (work / "folds0.parquet").exists()


def test_json_stands_where_the_path_would_and_is_what_show_says(work: Path) -> None:
    table = json.loads(split("--json", "-o", "folds.parquet", "--quiet").stdout)
    assert (table.pop("file"), table.pop("seed")) == ("folds.parquet", 0)
    assert table["people"] == [8, 8, 8]
    assert table == json.loads(run("show", "folds.parquet", "--json").stdout)["held out"]
    checked = json.loads(run("split", "folds.parquet", "--check", "--json").stdout)
    assert checked == {"file": "folds.parquet", **table}
    several = json.loads(split("--json", "--repeats", "2", "-o", "r{repeat}.parquet").stdout)
    assert [(one["file"], one["seed"]) for one in several] == [("r0.parquet", 0), ("r1.parquet", 1)]


@pytest.mark.parametrize("words", [(), ("-o", "-")])
def test_json_and_the_manifest_do_not_share_standard_output(work: Path, words: tuple[str, ...]) -> None:
    result = split("--json", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give -o FILE" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("words", [["a,b", "c"], ["a", "b,c,a"], ["a, b ,c,"]])
def test_columns_are_listed_with_commas_or_one_by_one(work: Path, words: list[str]) -> None:
    table = Manifest.read("labels.parquet")
    ones = pa.array(np.arange(len(table)) // 7)
    table.then("audit", {"a": ones, "b": ones, "c": ones}).write("labels.parquet", force=True)
    options = [word for given in words for word in ("--stratify", given, "--keep-with", given)]
    assert split(*options, "-o", "folds.parquet").exit_code == 0
    recorded = Manifest.read("folds.parquet").header.history[-1].options
    assert recorded["stratify"] == recorded["keep_with"] == ["a", "b", "c"]


def test_history_makes_the_same_folds_again(work: Path) -> None:
    made = split(
        "--stratify", "gender,age", "--keep-with", "duplicate_group", "--seed", "3", "-o", "folds.parquet"
    )
    assert made.exit_code == 0, made.stderr
    line = run("show", "folds.parquet", "--history").stdout.splitlines()[-1].split()
    assert line[:2] == ["maskkit", "split"]
    assert run("split", "labels.parquet", *line[3:-1], "again.parquet").exit_code == 0
    again = Manifest.read("again.parquet")
    assert again.table.equals(Manifest.read("folds.parquet").table)


def test_checking_says_no_where_near_copies_are_divided(work: Path) -> None:
    split("--seed", "1", "-o", "plain.parquet")
    split("--keep-with", "duplicate_group", "-o", "kept.parquet")
    no = run("split", "plain.parquet", "--check", "--keep-with", "duplicate_group")
    assert (no.exit_code, no.stdout) == (3, "")
    assert error_parts(no.stderr) == ["error", "why", "fix"]
    yes = run("split", "kept.parquet", "--check")
    assert yes.exit_code == 0
    assert "each value of duplicate_group is in one fold" in yes.stderr


def test_show_prints_the_folds_line_by_line_in_a_pipe(work: Path) -> None:
    split("-o", "folds.parquet")
    lines = run("show", "folds.parquet").stdout.splitlines()
    assert "held out.people.2\t8" in lines
    assert any(line.startswith("held out.classes.wear/male/under30.photos.0\t") for line in lines)
