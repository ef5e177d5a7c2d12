from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from maskkit.artifacts.files import Source, refuse_existing, write_whole, written_whole
from maskkit.errors import MaskkitError

WRITER = """
import sys, time
from pathlib import Path
from maskkit.artifacts.files import written_whole
with written_whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def start_writer(path: Path) -> subprocess.Popen[str]:
    """Start a process that is in the middle of writing `path` when this returns."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_what_it_was_given_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.bin", b"content")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"content"
    assert names(tmp_path / "new") == ["a.bin"]


def test_an_exception_in_the_middle_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as file:
        _ = file.write(b"new") // 0
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_ctrl_c_in_the_middle_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written_whole(path):
        raise KeyboardInterrupt
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a.bin"])


def test_a_full_disk_is_an_error_that_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MaskkitError) as caught:
        write_whole(path, b"new")
    assert caught.value.what == f"cannot write {path}"
    assert "no space left on device" in caught.value.why
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a.bin"])


def test_a_full_device_is_an_error() -> None:
    with pytest.raises(OSError, match="No space"), Path("/dev/full").open("wb") as file:
        file.write(b"what a really full disk says, so that the test above stays true")


def test_kill_9_leaves_the_old_content_and_the_next_writer_clears_up(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    writer = start_writer(path)
    writer.kill()
    assert writer.wait() == -signal.SIGKILL
    writer.communicate()
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2  # what was killed could not clear up
    write_whole(path, b"new")
    assert (path.read_bytes(), names(tmp_path)) == (b"new", ["a.bin"])


def test_a_writer_that_lives_is_not_disturbed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    writer = start_writer(path)
    try:
        write_whole(path, b"quick")
        assert len(names(tmp_path)) == 2
        assert any(name.endswith(".partial") for name in names(tmp_path))
    finally:
        writer.kill()
        writer.communicate()


def test_many_writers_of_one_file_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    contents = [bytes([number]) * 1000 for number in range(8)]
    failures: list[Exception] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(20):
                write_whole(path, content)
        except MaskkitError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["a.bin"]


def test_writes_where_the_file_system_has_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    (tmp_path / ".a.bin.1.partial").write_bytes(b"someone may still be writing this")
    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_whole(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == [".a.bin.1.partial", "a.bin"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.bin"
    link.symlink_to(tmp_path / "far" / "real.bin")
    for content in (b"first", b"second"):
        write_whole(link, content)
        assert link.is_symlink()
        assert (tmp_path / "far" / "real.bin").read_bytes() == content


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_whole(tmp_path / "ours", b"")
    (tmp_path / "usual").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_takes_names_as_long_as_the_file_system_does(tmp_path: Path) -> None:
    for name in ("a" * 255, "é" * 127):
        write_whole(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_an_existing_file_is_refused_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    refuse_existing(path, force=False)
    path.touch()
    with pytest.raises(MaskkitError, match="exists already") as caught:
        refuse_existing(path, force=False)
    assert "--force" in caught.value.fix
    refuse_existing(path, force=True)


def test_a_missing_folder_is_made_later_but_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "new" / "newer" / "a", force=False)
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(MaskkitError, match="cannot write") as caught:
        refuse_existing(tmp_path / "file" / "a", force=False)
    assert str(tmp_path / "file") in caught.value.why


def test_a_folder_an_endless_name_and_a_loop_of_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / ("a" * 300), tmp_path / "loop"):
        with pytest.raises(MaskkitError) as caught:
            refuse_existing(path, force=True)
        assert str(path) in caught.value.what


def test_devices_and_pipes_are_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/null"), tmp_path / "pipe"):
        with pytest.raises(MaskkitError, match="device or a pipe") as caught:
            refuse_existing(path, force=True)
        assert "-o -" in caught.value.fix


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root, who may write anywhere
    with pytest.raises(MaskkitError, match="cannot write"):
        refuse_existing(tmp_path / "a", force=False)


def test_a_source_has_the_bytes_and_their_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    source = Source.open(tmp_path / "a")
    assert source.data.to_pybytes() == b"abc"
    assert source.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert source.starts_with(b"ab")
    assert not source.starts_with(b"abcd")


def test_an_empty_file_is_a_source_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert Source.open(tmp_path / "a").data.to_pybytes() == b""


def test_reads_the_pipe_of_a_process_substitution(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"through a pipe"))
    thread.start()
    assert Source.open(tmp_path / "pipe").data.to_pybytes() == b"through a pipe"
    thread.join()


@pytest.mark.parametrize("name", ["missing", "folder", "a" * 300, "folder/below/file"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(MaskkitError) as caught:
        Source.open(tmp_path / name)
    assert caught.value.what == f"cannot read {tmp_path / name}"


def test_a_mapped_file_gives_its_memory_back_and_can_still_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * 100_000)
    source = Source.open(tmp_path / "a.bin")
    source.let_go()
    assert source.data.to_pybytes() == b"x" * 100_000
    assert source.sha256 == Source("-", source.data).sha256
    Source("-", source.data).let_go()  # nothing is mapped here
