from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskkit.cache import digests as module
from maskkit.cache.digests import content_digests


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "photos" / f"{number}.jpg" for number in range(5)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        path.write_bytes(b"photo %d" % (number % 4))
        age(path)
    return paths


def age(path: Path, *, seconds: float = 100) -> None:
    """Let a file look as if it had not changed for a while."""
    os.utime(path, (time.time() - seconds,) * 2)


def expected(files: list[Path]) -> list[bytes]:
    return [hashlib.sha256(path.read_bytes()).digest() for path in files]


def found(files: list[Path], memory: Path) -> list[bytes]:
    return [digest.tobytes() for digest in content_digests(files, memory)]


def test_are_the_sha256_of_the_contents(files: list[Path], tmp_path: Path) -> None:
    assert found(files, tmp_path / "memory") == expected(files)
    assert found(files[::-1], tmp_path / "memory") == expected(files)[::-1]
    assert found([], tmp_path / "memory") == []


def test_only_changed_files_are_read_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    inner = module._digest_block

    def note(block: list[Path], *, read: Callable[[Path], bytes]) -> list[bytes]:
        seen.extend(block)
        return inner(block, read=read)

    monkeypatch.setattr(module, "_digest_block", note)
    found(files, tmp_path / "memory")
    assert sorted(seen) == files
    seen.clear()
    files[3].write_bytes(b"another")
    age(files[3], seconds=50)
    assert found(files, tmp_path / "memory") == expected(files)
    assert seen == [files[3]]
    seen.clear()
    assert found(files[1:3], tmp_path / "memory") == expected(files[1:3])
    assert found(files, tmp_path / "memory") == expected(files)
    assert seen == []


def test_a_file_changed_just_now_is_not_remembered(files: list[Path], tmp_path: Path) -> None:
    now = time.time_ns()
    os.utime(files[0], ns=(now, now))
    found(files, tmp_path / "memory")
    files[0].write_bytes(b"photo X")  # as long as before, and within the clock's tick
    os.utime(files[0], ns=(now, now))
    assert found(files, tmp_path / "memory") == expected(files)


def test_a_damaged_or_unwritable_memory_costs_time_only(files: list[Path], tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    found(files, memory)
    (book,) = memory.iterdir()
    book.write_bytes(b"PAR1 no more")
    assert found(files, memory) == expected(files)
    (tmp_path / "file").write_text("not a folder")
    assert found(files, tmp_path / "file" / "memory") == expected(files)


def test_a_file_that_cannot_be_read_is_an_error(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        found([*files, tmp_path / "gone.jpg"], tmp_path / "memory")


@pytest.mark.parametrize("gap", ["name", "size", "changed", "digest", "inside"])
def test_a_memory_with_gaps_is_not_used(files: list[Path], tmp_path: Path, gap: str) -> None:
    found(files, tmp_path / "memory")
    [book] = (tmp_path / "memory").iterdir()
    rows = pq.read_table(book).to_pylist()
    rows.insert(0, {**rows[0], gap: None} if gap != "inside" else {**rows[0], "digest": [None, *[0] * 31]})
    pq.write_table(pa.Table.from_pylist(rows, module.BOOK), book)
    assert found(files, tmp_path / "memory") == expected(files)


def test_a_memory_of_more_than_can_be_is_not_read(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(files, tmp_path / "memory")
    [book] = (tmp_path / "memory").iterdir()
    for limit in ("MOST_FILES", "MOST_BYTES"):
        monkeypatch.setattr(module, limit, 1)
        with pytest.raises(ValueError, match="too large"):
            module._read_book(book)
        monkeypatch.undo()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no file"):
        module._read_book(tmp_path / "pipe")
