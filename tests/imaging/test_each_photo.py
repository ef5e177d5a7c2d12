"""Photos are looked at once and in order; what was found holds while the photo is the same file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from maskkit.artifacts.header import Record
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.errors import MaskkitError
from maskkit.imaging import each_photo
from maskkit.imaging.each_photo import Found, look_at_each

RECORD = Record("label", {"root": "images"})
COUNT = 23


class Text(Found, array_like=True):
    """What is in a file."""

    content: str = ""


class Reader:
    """Reads files, and notes which."""

    def __init__(self, fault: str = "no such text") -> None:
        self.fault, self.seen = fault, list[str]()

    def __call__(self, file: Path) -> Text:
        self.seen.append(file.name)
        text = file.read_text()
        return Text(self.fault if text == self.fault else None, text)


@pytest.fixture(autouse=True)
def _blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(each_photo, "KEPT_EVERY", 4)
    monkeypatch.setattr(each_photo, "SETTLED", -1)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{number}.txt" for number in range(COUNT)]
    for file in made:
        file.write_text(file.stem)
    return made


def looked(
    files: list[Path], look: Callable[[Path], Text], path: Path | None, *, until: int = COUNT
) -> list[str]:
    """Look at files, of which the first are looked at before the run is stopped."""
    found = []
    with (
        ProgressFile(path, RECORD) as kept,
        look_at_each(files, look, total=len(files), kind=Text, kept=kept) as looks,
    ):
        for text in looks:
            found.append(text.content)
            if len(found) == until:
                break
    return found


def test_nothing_is_kept_without_a_file(files: list[Path]) -> None:
    reader = Reader()
    assert looked(files, reader, None) == [file.stem for file in files]
    assert sorted(reader.seen) == sorted(file.name for file in files)


@pytest.mark.parametrize(("until", "known"), [(3, 0), (4, 4), (7, 4), (20, 20), (22, 20), (23, 20)])
def test_a_stopped_run_goes_on_behind_the_last_whole_block(
    files: list[Path], tmp_path: Path, until: int, known: int, caplog: pytest.LogCaptureFixture
) -> None:
    path, reader = tmp_path / "kept", Reader()
    looked(files, Reader(), path, until=until)
    assert path.exists() == (until >= 4)
    with caplog.at_level(logging.INFO):
        assert looked(files, reader, path) == [file.stem for file in files]
    assert sorted(reader.seen) == sorted(file.name for file in files[known:])
    assert (f"resumed {path} after {known} photos" in caplog.text) == (known > 0)
    again = Reader()
    assert looked(files, again, path) == [file.stem for file in files]
    assert len(again.seen) <= 3 + 4  # what makes no whole block: the last three, maybe before one more stop


def test_it_can_be_stopped_many_times(files: list[Path], tmp_path: Path) -> None:
    reader = Reader()
    for until in (6, 10, 15):
        looked(files, Reader(), tmp_path / "kept", until=until)
    assert looked(files, reader, tmp_path / "kept") == [file.stem for file in files]
    assert sorted(reader.seen) == sorted(file.name for file in files[12:])


def test_a_torn_block_is_looked_at_again(files: list[Path], tmp_path: Path) -> None:
    path, reader = tmp_path / "kept", Reader()
    looked(files, Reader(), path, until=12)
    path.write_bytes(path.read_bytes()[:-3])
    assert looked(files, reader, path) == [file.stem for file in files]
    assert sorted(reader.seen) == sorted(file.name for file in files[8:])


def rewritten(file: Path) -> None:
    status = file.stat()
    file.write_text("!" * status.st_size)  # of the same size
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # and time: what tells is the ctime


def replaced(file: Path) -> None:
    other = file.with_name("other")
    other.write_text("another text")
    other.replace(file)


@pytest.mark.parametrize("change", [rewritten, replaced])
def test_a_photo_that_has_changed_is_looked_at_again(
    files: list[Path], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path, reader = tmp_path / "kept", Reader()
    looked(files, Reader(), path)
    before = path.read_bytes()
    change(files[5])
    assert looked(files, reader, path)[5] == files[5].read_text()
    assert path.read_bytes() == before  # its place in the order is taken, and three more make no block
    assert sorted(reader.seen) == sorted(file.name for file in [files[5], *files[20:]])


@pytest.mark.parametrize("part", range(4))
def test_size_times_and_inode_each_tell_that_a_photo_is_another(
    files: list[Path], tmp_path: Path, part: int
) -> None:
    reader = Reader()
    looked(files, Reader(), tmp_path / "kept")
    with ProgressFile(tmp_path / "kept", RECORD) as kept, ProgressFile(tmp_path / "other", RECORD) as other:
        for block in kept.blocks():
            rows = msgspec.msgpack.decode(block)
            rows[1][0][part] += 1
            other.append(msgspec.msgpack.encode(rows))
    looked(files, reader, tmp_path / "other")
    assert sorted(reader.seen) == sorted(file.name for file in [*files[1:20:4], *files[20:]])


def test_what_could_not_be_used_is_looked_at_again_as_what_stood_in_its_way_may_be_gone(
    files: list[Path], tmp_path: Path
) -> None:
    path, reader = tmp_path / "kept", Reader("nothing")
    looked(files, Reader("2"), path)
    looked(files, reader, path)
    assert sorted(reader.seen) == sorted(file.name for file in [files[2], *files[20:]])


def test_what_may_yet_change_within_the_tick_of_the_clock_is_looked_at_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reader = tmp_path / "kept", Reader()
    monkeypatch.setattr(each_photo, "SETTLED", 10**15)  # days
    looked(files, Reader(), path)
    monkeypatch.setattr(each_photo, "SETTLED", -1)
    looked(files, reader, path)
    assert len(reader.seen) == COUNT


@pytest.mark.parametrize(
    "block",
    [
        b"\xc1",
        msgspec.msgpack.encode([[[1, 2, 3], [None, "x"]]]),
        msgspec.msgpack.encode([[None, [None, 5]]]),
    ],
)
def test_a_block_of_something_else_is_refused(files: list[Path], tmp_path: Path, block: bytes) -> None:
    with ProgressFile(tmp_path / "kept", RECORD) as kept:
        kept.append(block)
    with pytest.raises(MaskkitError, match="cannot resume from") as caught:
        looked(files, Reader(), tmp_path / "kept")
    assert "not of photos" in caught.value.why
