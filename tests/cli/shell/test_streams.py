"""Standard streams: what goes where, through pipes and terminals, and what may stand in the way."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import error_parts, read_all, run, start

from maskkit import __version__
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions

ESCAPE = "\x1b"


@pytest.fixture
def work(labels: Manifest, folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    labels.write(tmp_path / "labels.parquet")
    folds.write(tmp_path / "folds.parquet")
    perfect = Predictions(folds.table["path"], folds.labels)
    (tmp_path / "perfect.csv").write_bytes(perfect.encode("submission"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_command_help_is_shown() -> None:
    result = run()
    assert "label" in result.stdout
    assert "Usage: maskkit" in result.stdout


def test_a_mistyped_command_is_answered_with_the_one_meant() -> None:
    result = run("trian")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean maskkit train?" in result.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"maskkit {__version__}\n"


def test_square_brackets_in_an_error_are_shown_as_they_are(work: Path) -> None:
    Path("[bold]odd[red].csv").write_text("path,mask\na.jpg,[red]wear\n")
    result = run("label", "[bold]odd[red].csv")
    assert "[bold]odd[red].csv has no column gender, age" in result.stderr


def test_a_page_is_told_to_people_and_not_to_programs(work: Path) -> None:
    words = ["evaluate", "folds.parquet", "perfect.csv", "--html", "page.html"]
    result = run(*words, "--json")
    assert json.loads(result.stdout)["macro_f1"]["value"] == 1
    assert "the page is page.html" in result.stderr
    table = run(*words, "--force").stdout
    assert table.startswith("scope\tname\tmeasure")
    assert "page.html" not in table


def test_one_file_is_not_written_twice(work: Path) -> None:
    result = run("evaluate", "folds.parquet", "perfect.csv", "-o", "x", "--html", "./x")
    assert result.exit_code == 2
    assert not Path("x").exists()


@pytest.mark.parametrize("command", ["evaluate", "ensemble"])
def test_standard_input_is_read_once(command: str, work: Path) -> None:
    result = run(command, "-", "-", stdin=Path("perfect.csv"))
    assert result.exit_code == 2
    assert "standard input can be read once" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["split", "labels.parquet", "--check", "-o", "x.parquet"],
        ["evaluate", "folds.parquet", "perfect.csv", "--curves", "history.csv"],
        ["train", "folds.parquet"],
        ["train", "folds.parquet", "-o", "-"],
        ["train", "folds.parquet", "-o", "x.pth"],
        ["train", "folds.parquet", "-o", "x.safetensors", "--fold", "first"],
        ["ensemble", "perfect.csv", "--weights", "heavy"],
        ["split", "labels.parquet", "--folds", "1"],
    ],
)
def test_an_option_that_would_have_no_effect_is_wrong_usage(words: list[str], work: Path) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(path.name for path in work.iterdir()) == ["folds.parquet", "labels.parquet", "perfect.csv"]


def test_all_checkpoints_are_refused_before_the_first_is_trained(work: Path) -> None:
    Path("fold2.safetensors").write_bytes(b"of last week")
    result = run("train", "folds.parquet", "--fold", "all", "-o", "fold{fold}.safetensors")
    assert result.exit_code == 1
    assert "fold2.safetensors exists already" in result.stderr
    assert not list(work.glob("fold0*"))


def test_a_size_that_no_network_takes_is_refused_by_a_dry_run_too(work: Path) -> None:
    result = run("train", "folds.parquet", "-o", "x.safetensors", "--size", "3", "--dry-run")
    assert result.exit_code == 1
    assert "'3' is not a photo size" in result.stderr


def test_tables_are_never_cut_short(work: Path) -> None:
    narrow = run("evaluate", "folds.parquet", "perfect.csv", COLUMNS="40").stderr
    assert "…" not in narrow
    assert "incorrect/female/30to59" in narrow
    normal = run("evaluate", "folds.parquet", "perfect.csv", COLUMNS="80").stderr
    assert max(map(len, normal.splitlines())) <= 80
    names = [f"{'long' * 12}{index}.csv" for index in range(2)]
    for name in names:
        Path(name).write_bytes(Path("perfect.csv").read_bytes())
    assert all(name in run("ensemble", *names, COLUMNS="40").stderr for name in names)


@pytest.mark.parametrize("words", [["split", "labels.parquet"], ["show", "labels.parquet"], ["--help"]])
def test_a_reader_that_leaves_ends_the_command_without_a_traceback(words: list[str], work: Path) -> None:
    process = start(*words)
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 141
    assert said == b""


def test_a_full_disk_behind_standard_output_is_told(work: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("split", "labels.parquet", stdout=full)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error_parts(said.decode()) == ["error", "why", "fix"]
    assert "no space left" in said.decode()


@pytest.mark.parametrize(
    ("closing", "words", "code"),
    [(">&-", "show labels.parquet", 1), ("<&-", "split -o x.parquet", 2), ("2>&-", "show labels.parquet", 0)],
)
def test_a_closed_stream_is_no_reason_for_a_traceback(
    closing: str, words: str, code: int, work: Path
) -> None:
    command = f'exec "$0" -m maskkit {words} {closing}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def _on_a_terminal(*words: str, **environment: str) -> tuple[int, str]:
    """Run with all three streams on one wide terminal; return the exit code and what it shows."""
    ours, theirs = pty.openpty()
    process = start(
        *words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        **{"TERM": "xterm", "COLUMNS": "200", **environment},
    )
    os.close(theirs)
    shown = read_all(ours)
    os.close(ours)
    return process.wait(), shown


def _bare(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_on_a_terminal_nothing_is_read_from_the_keyboard_and_no_bytes_are_shown(work: Path) -> None:
    code, shown = _on_a_terminal("split")
    assert code == 2
    assert "maskkit split lacks MANIFEST and -o" in _bare(shown)
    code, shown = _on_a_terminal("split", "-o", "x.parquet")
    assert code == 2
    assert "MANIFEST: a manifest (or a pipe)" in _bare(shown)
    code, shown = _on_a_terminal("split", "labels.parquet")
    assert code == 2
    assert "-o: file to write (or a pipe)" in _bare(shown)


def test_on_a_terminal_a_report_is_a_table(work: Path) -> None:
    code, shown = _on_a_terminal("show", "labels.parquet")
    assert code == 0
    assert "\t" not in shown
    assert re.search(r"people: 24", _bare(shown))
    narrow = _on_a_terminal("show", "labels.parquet", COLUMNS="40")[1]
    digest = hashlib.sha256(Path("labels.parquet").read_bytes()).hexdigest()
    assert digest in re.sub(r"\s", "", _bare(narrow))  # whole, to be copied


def test_colour_is_for_terminals_and_not_if_unwanted(work: Path) -> None:
    words = ["split", "labels.parquet", "--by", "image", "-o"]
    _, coloured = _on_a_terminal(*words, "1.parquet")
    assert f"{ESCAPE}[33mwarning:" in coloured
    _, plain = _on_a_terminal(*words, "2.parquet", NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", plain)
    assert "warning:" in plain
    assert ESCAPE not in run(*words, "3.parquet").stderr
