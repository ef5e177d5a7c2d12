"""Closed streams, full disks and readers that leave: an exit code, and at most a message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commandline import error_parts

from maskkit.artifacts.manifest import Manifest

HELP, VERSION, TABLE = "--help", "--version", "show labels.parquet"
USAGE, REFUSED = "split --folds many", "show nowhere"
NOWHERE = {  # the streams, and the exit code of a command that has something to show
    ">/dev/full": 1,
    ">&-": 1,
    "2>/dev/full": 0,
    "2>&-": 0,
    "<&-": 0,
    ">&- 2>&-": 1,
    "| true": 141,
    "2>&1 | true": 141,
}


@pytest.fixture
def work(labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    labels.write(tmp_path / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(words: str, streams: str) -> tuple[int, str]:
    """Run a command with its streams so; return its exit code and what it says, if it can."""
    command = f'{{ "$0" -m maskkit {words}; echo $? > code; }} {streams}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    return int(Path("code").read_text()), done.stderr


@pytest.mark.parametrize("words", [HELP, TABLE])
@pytest.mark.parametrize("streams", NOWHERE)
def test_results_that_nobody_can_read_are_an_error_and_messages_are_not(
    words: str, streams: str, work: Path
) -> None:
    code, said = ended(words, streams)
    assert code == NOWHERE[streams]
    assert "Traceback" not in said
    if streams in (">/dev/full", ">&-"):
        assert error_parts(said) == ["error", "why", "fix"]
        assert "cannot write to standard output" in said


@pytest.mark.parametrize(("words", "code"), [(USAGE, 2), (REFUSED, 1), ("", 2)])
@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "2>&1 | true"])
def test_an_error_that_nobody_can_read_has_its_exit_code(
    words: str, code: int, streams: str, work: Path
) -> None:
    if not words and "|" in streams:
        code = 141  # help is a result
    assert ended(words, streams) == (code, "")


def test_a_full_disk_is_noticed_without_a_buffer_too(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    code, said = ended(VERSION, ">/dev/full")
    assert code == 1
    assert "no space left on device" in said


def test_no_file_gets_the_messages_of_a_closed_stream(work: Path) -> None:
    assert ended("split labels.parquet -o folds.parquet --folds 3", "0<&- 1>&- 2>&-")[0] == 1
    assert Manifest.read(Path("folds.parquet")).folds.max() == 2
