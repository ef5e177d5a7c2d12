"""Folders that may not be there: the home, the one that a command is in, that for temporary files."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import QUICK, error_parts, run

from maskkit.artifacts.manifest import Manifest


@pytest.fixture
def work(labels: Manifest, folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    labels.write(tmp_path / "labels.parquet")
    folds.write(tmp_path / "folds.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unknown(_: object) -> pwd.struct_passwd:
    raise KeyError


def test_without_a_home_folder_there_is_no_cache_and_the_same_result(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "folds.parquet", *QUICK.split(), "-o"]
    assert run(*words, "a.safetensors").exit_code == 0
    for name in ("HOME", "MASKKIT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    result = run(*words, "b.safetensors")
    assert result.exit_code == 0
    assert "without a home folder there is no cache" in result.stderr
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    assert not Path("~").exists()
    assert "home folder" not in run(*words, "c.safetensors", "--cache", "here").stderr


def from_nowhere(*words: str) -> tuple[int, str]:
    """Run a command in a folder that is removed; return its exit code and what it says."""
    command = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" -m maskkit "$@"'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, *words],
        env={**os.environ, "TMPDIR": "/nowhere"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_in_a_removed_folder_whole_paths_work_and_others_are_an_error(work: Path) -> None:
    whole = [str(work / "labels.parquet"), "-o", str(work / "made.parquet")]
    assert from_nowhere("split", *whole, "--folds", "3")[0] == 0
    code, said = from_nowhere("split", str(work / "labels.parquet"), "--folds", "3", "-o", "made.parquet")
    assert (code, error_parts(said)) == (1, ["error", "why", "fix"])
    assert "there is no folder that you are in" in said


def test_in_a_removed_folder_nothing_is_trained(work: Path) -> None:
    words = ["train", str(work / "folds.parquet"), *QUICK.split(), "-o", str(work / "made.safetensors")]
    code, said = from_nowhere(*words)
    assert (code, error_parts(said)) == (1, ["error", "why", "fix"])
