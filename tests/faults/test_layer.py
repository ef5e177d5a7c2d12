"""The layer under all operations on files, in processes of its own: it stays for good."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WRITES = """
import os, sys, tempfile
from pathlib import Path
from faults.layer import Injected, Layer, Operation

folder, kind, path, number, fault = sys.argv[1:]
log = os.open(f"{folder}.log", os.O_CREAT | os.O_WRONLY)
injected = Injected(Operation(kind, path, int(number)), fault) if fault else None
Layer({"in/": folder}, log, injected).install()
os.chdir(folder)
Path("text").write_text("some text")
with open("bytes", "w+b", buffering=0) as file:
    written = file.write(b"0123456789")
    while written < 10:
        written += file.write(b"0123456789"[written:])
    os.fsync(file.fileno())
    file.truncate(8)
handle, name = tempfile.mkstemp(dir=folder, suffix=".partial", prefix=".it.")
os.write(handle, b"x")
os.replace(name, "it")
os.link("it", "other")
os.unlink("other")
Path("made").mkdir()
assert Path("text").read_text() == "some text"
Path(f"{folder}.out").write_text("of no concern")
"""


def _run(folder: Path, *injected: str) -> tuple[int, str, list[str]]:
    folder.mkdir()
    words = [sys.executable, "-c", WRITES, str(folder), *(injected or ("", "", "0", ""))]
    tests = Path(__file__).parents[1]
    done = subprocess.run(words, cwd=tests, capture_output=True, text=True, timeout=60, check=False)
    lines = Path(f"{folder}.log").read_text().splitlines()
    return done.returncode, done.stderr, [line.replace("\t", " ").strip() for line in lines]


def test_counts_what_is_done_with_files_of_its_folders(tmp_path: Path) -> None:
    code, said, done = _run(tmp_path / "in")
    assert (code, said) == (0, "")
    assert done == [
        "create in/text 1", "write in/text 1", "create in/bytes 1", "write in/bytes 1", "sync in/bytes 1",
        "truncate in/bytes 1", "create in/.it.*.partial 1", "write in/.it.*.partial 1", "rename in/it 1",
        "link in/other 1", "unlink in/other 1", "mkdir in/made 1", "open in/text 1", "read in/text 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path", "number", "fault", "says"),
    [
        ("create", "in/text", "1", "EIO", "Input/output error: 'text'"),
        ("open", "in/text", "1", "EIO for good", "Input/output error: 'text'"),
        ("read", "in/text", "1", "EIO", "Input/output error"),
        ("write", "in/text", "1", "ENOSPC", "No space left on device"),
        ("write", "in/.it.*.partial", "1", "EIO", "Input/output error"),
        ("sync", "in/bytes", "1", "EIO", "Input/output error"),
        ("truncate", "in/bytes", "1", "EIO", "Input/output error"),
        ("rename", "in/it", "1", "EINTR", "Interrupted system call"),
        ("link", "in/other", "1", "EIO", "Input/output error"),
        ("unlink", "in/other", "1", "EIO", "Input/output error"),
        ("mkdir", "in/made", "1", "ENOSPC", "No space left on device"),
    ],
)
def test_lets_the_operation_fail_that_is_named(
    tmp_path: Path, kind: str, path: str, number: str, fault: str, says: str
) -> None:
    code, said, done = _run(tmp_path / "in", kind, path, number, fault)
    assert code == 1
    assert says in said.splitlines()[-1]
    assert f"{kind} {path} {number} {fault}" in done


def test_a_short_write_takes_half_and_the_next_takes_the_rest(tmp_path: Path) -> None:
    code, _, done = _run(tmp_path / "in", "write", "in/bytes", "1", "short")
    assert code == 0
    assert done[3:5] == ["write in/bytes 1 short", "write in/bytes 2"]
    assert (tmp_path / "in" / "bytes").read_bytes() == b"01234567"


def test_a_process_is_killed_in_front_of_a_write_or_in_the_middle_of_it(tmp_path: Path) -> None:
    assert _run(tmp_path / "in", "write", "in/bytes", "1", "SIGKILL")[0] == -9
    assert (tmp_path / "in" / "bytes").read_bytes() == b""
    assert _run(tmp_path / "half", "write", "in/bytes", "1", "SIGKILL half-way")[0] == -9
    assert (tmp_path / "half" / "bytes").read_bytes() == b"01234"


def test_a_full_disk_stays_full_but_what_is_there_can_be_removed(tmp_path: Path) -> None:
    code, said, done = _run(tmp_path / "in", "create", "in/text", "1", "disk full")
    assert (code, done) == (1, ["create in/text 1 disk full"])
    assert "No space left" in said
