from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maskkit.artifacts.locks import held
from maskkit.errors import MaskkitError

HOLDER = """
import sys, time
from pathlib import Path
from maskkit.artifacts.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_holds_the_output_until_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fold0.safetensors"
    holder = start_holder(path)
    try:
        with pytest.raises(MaskkitError, match="being made by another run") as caught, held(path):
            pass
        assert f"process {holder.pid} of user {os.getuid()} on " in caught.value.why
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with held(path):  # though the file of the lock is still there
        assert json.loads((path.parent / ".fold0.safetensors.lock").read_text())["process"] == os.getpid()
    assert list(path.parent.iterdir()) == []


def test_outputs_of_other_names_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with held(tmp_path / f"{'a' * 200}1"), held(tmp_path / f"{'a' * 200}2"), held(tmp_path / "b"):
        assert len(list(tmp_path.iterdir())) == 3


def test_a_link_to_an_output_is_that_output(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with held(tmp_path / "real"), pytest.raises(MaskkitError), held(tmp_path / "link"):
        pass


def test_a_lock_that_says_nothing_of_its_holder_holds_too(tmp_path: Path) -> None:
    with held(tmp_path / "a"):
        (tmp_path / ".a.lock").write_text('{"process": "\\u001b[2J"}')
        with pytest.raises(MaskkitError) as caught, held(tmp_path / "a"):
            pass
    assert caught.value.why.startswith("another process holds ")


def test_a_lock_that_was_removed_between_opening_and_locking_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, flock = tmp_path / ".a.lock", fcntl.flock
    removed: list[Path] = []

    def late(handle: int, how: int) -> None:
        if not removed:
            removed.append(lock)
            lock.unlink()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with held(tmp_path / "a"):
        monkeypatch.setattr(fcntl, "flock", flock)
        with pytest.raises(MaskkitError), held(tmp_path / "a"):
            pass


def test_a_file_system_without_locks_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with held(tmp_path / "a"):
        assert "cannot be locked" in caplog.text


def test_folders_that_were_made_for_a_lock_alone_go_with_it(tmp_path: Path) -> None:
    with held(tmp_path / "new" / "newer" / "a"):
        assert (tmp_path / "new" / "newer").is_dir()
    assert list(tmp_path.iterdir()) == []
    with held(tmp_path / "new" / "newer" / "a"):
        (tmp_path / "new" / "b").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MaskkitError, match="cannot write"), held(tmp_path / "file" / "a"):
        pass
