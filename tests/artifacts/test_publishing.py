from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from maskkit.artifacts.draft import Draft, sha256_of
from maskkit.artifacts.publishing import Publication, refuse_existing, write_whole
from maskkit.errors import MaskkitError

WRITER = """
import sys, time
from pathlib import Path
from maskkit.artifacts.draft import Draft
draft = Draft.of(Path(sys.argv[1]), b"new")
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


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
def test_what_stops_a_command_before_its_last_file_leaves_the_old_ones(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    paths = [tmp_path / "a.bin", tmp_path / "b.bin"]
    paths[0].write_bytes(b"old")

    def command() -> None:
        with Publication(paths, force=True) as publication:
            publication.add(paths[0], b"new")
            raise kind

    with pytest.raises(kind):
        command()
    assert (paths[0].read_bytes(), names(tmp_path)) == (b"old", ["a.bin"])


def test_a_full_disk_is_an_error_that_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MaskkitError) as caught:
        write_whole(path, b"new", force=True)
    assert caught.value.what == f"cannot write {path}"
    assert "no space left on device" in caught.value.why
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a.bin"])


def test_what_cannot_be_read_again_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("maskkit.artifacts.draft.sha256_of", fails)
    draft = Draft.of(tmp_path / "a.bin", b"new")
    with pytest.raises(MaskkitError, match=r"cannot write .*a\.bin"):
        assert draft.sha256
    draft.discard()


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
    write_whole(path, b"new", force=True)
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
                write_whole(path, content, force=True)
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
        write_whole(link, content, force=True)
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


def test_whoever_comes_second_gets_an_error_and_keeps_the_work_under_a_name_it_prints(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"first")
    for number, content in enumerate((b"second", b"third"), start=2):
        with pytest.raises(MaskkitError, match=r"a\.csv exists already") as caught:
            write_whole(path, content)
        kept = tmp_path / f"a.{number}.csv"
        assert str(kept) in caught.value.fix
        assert kept.read_bytes() == content
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["a.2.csv", "a.3.csv", "a.csv"]


def test_whoever_comes_second_with_the_same_bytes_needs_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"same")
    with pytest.raises(MaskkitError, match="exists already") as caught:
        write_whole(path, b"same")
    assert "it holds what this run has made" in caught.value.fix
    assert names(tmp_path) == ["a.csv"]


def test_of_many_writers_of_one_free_name_one_wins_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    contents = [bytes([number]) * 1000 for number in range(8)]
    barrier = threading.Barrier(len(contents))
    lost: list[MaskkitError] = []

    def write(content: bytes) -> None:
        barrier.wait()
        try:
            write_whole(path, content)
        except MaskkitError as error:
            lost.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lost) == len(contents) - 1
    assert sorted(one.read_bytes() for one in tmp_path.iterdir()) == contents


def test_a_file_that_is_known_is_replaced_and_left_if_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_whole(path, b"old")
    known = {sha256_of(path)}
    refuse_existing(path, force=False, known=known)
    before = path.stat()
    write_whole(path, b"old", known=known)
    assert path.stat() == before
    write_whole(path, b"new", known=known)
    assert path.read_bytes() == b"new"
    with pytest.raises(MaskkitError, match="exists already"):
        refuse_existing(path, force=False, known=known)
    with Publication([path], same_is_fine=True) as publication:
        publication.add(path, b"new")
    with pytest.raises(MaskkitError), Publication([path], same_is_fine=True) as publication:
        publication.add(path, b"newer")


def together(paths: list[Path], contents: list[bytes], command: str = "evaluate") -> None:
    with Publication(paths, command=command) as publication:
        for path in paths:
            refuse_existing(path, force=False, known=publication.known)
        for path, content in zip(paths, contents, strict=True):
            assert not path.exists() or path.read_bytes() == content
            publication.add(path, content)


def test_files_of_one_command_appear_once_all_are_written(tmp_path: Path) -> None:
    paths, told = [tmp_path / "a.csv", tmp_path / "b.html"], []
    with Publication(paths) as publication:
        publication.add(paths[0], b"a", lambda: told.append("a"))
        assert (told, paths[0].exists()) == ([], False)
        publication.add(paths[1], b"b", lambda: told.append("b"))
        assert (told, paths[0].exists(), paths[1].exists()) == (["a", "b"], True, True)
    assert names(tmp_path) == ["a.csv", "b.html"]


def test_files_that_are_not_made_after_all_are_not_waited_for(tmp_path: Path) -> None:
    with Publication([tmp_path / "a.csv", tmp_path / "b.html"]) as publication:
        publication.add(tmp_path / "a.csv", b"a")
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_command_that_was_killed_between_its_files_goes_on_without_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    paths, contents = [tmp_path / name for name in ("a", "b", "c")], [b"1", b"2", b"3"]
    link = os.link
    linked: list[object] = []

    def killed(*given: Path) -> None:
        if len(linked) == stop:
            os._exit(9)
        linked.append(given)
        link(*given)

    child = os.fork()
    if not child:  # pragma: no cover - in the child, which is killed
        monkeypatch.setattr(os, "link", killed)
        together(paths, contents)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == (9 if stop < 3 else 0)
    there = [path for path in paths if path.exists()]
    assert len(there) == stop
    before = [path.stat().st_ino for path in there]
    if stop < 3:
        with pytest.raises(MaskkitError, match="exists already"):
            together(paths, contents, command="evaluate with other options")
        together(paths, contents)
    assert [path.read_bytes() for path in paths] == contents
    assert [path.stat().st_ino for path in there] == before
    assert [name for name in names(tmp_path) if not name.endswith(".partial")] == ["a", "b", "c"]
    with pytest.raises(MaskkitError, match="exists already"):
        together(paths, contents)


def test_what_several_files_of_a_loser_are_kept_under_is_told(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.html", tmp_path / "c.json"]
    publication = Publication(paths)
    publication.add(paths[0], b"a")
    publication.add(paths[1], b"b")
    paths[1].write_bytes(b"of somebody else")
    with pytest.raises(MaskkitError, match="exists already") as caught:
        publication.add(paths[2], b"c")
    publication.discard()
    assert names(tmp_path) == ["a.csv", "b.2.html", "b.html", "c.2.json"]
    for kept in ("b.2.html", "c.2.json"):
        assert str(tmp_path / kept) in caught.value.fix


@pytest.mark.parametrize("has_rename", [True, False])
def test_a_name_is_taken_only_if_it_is_free_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_rename: bool
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    if not has_rename:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    path = tmp_path / "a.csv"
    write_whole(path, b"first")
    with pytest.raises(MaskkitError, match="exists already"):
        write_whole(path, b"second")
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == {
        "a.csv": b"first",
        "a.2.csv": b"second",
    }


def test_content_and_name_and_new_folders_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = [], os.fsync

    def noted(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    write_whole(tmp_path / "new" / "newer" / "a.csv", b"x")
    assert {str(tmp_path), str(tmp_path / "new")} <= set(synced)
    assert synced[-1] == str(tmp_path / "new" / "newer")
    assert any(".a.csv." in one for one in synced)


def test_what_was_abandoned_is_cleared_when_its_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    (tmp_path / ".a.csv.x.partial").touch()
    draft = Draft.of(path, b"of a writer that lives")
    with pytest.raises(MaskkitError, match="exists already"):
        refuse_existing(path, force=False)
    assert names(tmp_path) == sorted([draft.beside.name, "a.csv"])
    draft.discard()
