from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskkit.cache import digests as module
from maskkit.cache import own_files
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
    """Let a file's content look as if it had not changed for a while."""
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files look as if nothing of them had changed for a while: a status cannot be set back."""
    monkeypatch.setattr(module, "SETTLED", -(10**18))
    monkeypatch.setattr(own_files, "_said", set())


def rewrite(book: Path, change: Callable[[list[dict[str, object]]], None]) -> None:
    """Change the rows of a book that is whole."""
    rows = pq.read_table(pa.BufferReader(book.read_bytes()[32:])).to_pylist()
    change(rows)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, module.BOOK), sink)
    content = sink.getvalue().to_pybytes()
    book.write_bytes(hashlib.sha256(content).digest() + content)


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


def test_a_file_changed_just_now_is_not_remembered(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    monkeypatch.setattr(module, "SETTLED", 10**12)  # 1,000 seconds
    for last, state in ((b"X", [7, 1, now - 10**13, now]), (b"Y", [7, 1, now, now - 10**13])):
        monkeypatch.setattr(module, "_state", lambda _, state=state: state)  # within the clock's tick
        found(files, tmp_path / "memory")
        files[0].write_bytes(b"photo " + last)
        assert found(files, tmp_path / "memory") == expected(files)


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read(files: list[Path], tmp_path: Path) -> None:
    found(files, tmp_path / "memory")
    for number, path in enumerate(files[:3]):
        before = path.stat()
        if number == 0:  # written over
            path.write_bytes(b"photo X")
        else:
            other = tmp_path / "other"
            other.write_bytes(b"photo Y")
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            other.replace(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert found(files, tmp_path / "memory") == expected(files)


@pytest.mark.parametrize("name", module.STATE)
def test_any_difference_of_state_lets_a_file_be_read(files: list[Path], tmp_path: Path, name: str) -> None:
    found(files, tmp_path / "memory")
    [book] = (tmp_path / "memory").iterdir()

    def change(rows: list[dict[str, object]]) -> None:
        for row in rows:
            row |= {name: int(str(row[name])) + 1, "digest": [0] * 32}

    rewrite(book, change)
    assert found(files, tmp_path / "memory") == expected(files)


def test_times_of_any_year_can_be_remembered(files: list[Path], tmp_path: Path) -> None:
    os.utime(files[0], (1e11, 1e11))  # the year 5138
    for _ in range(2):
        assert found(files, tmp_path / "memory") == expected(files)


def test_no_flipped_bit_of_a_book_changes_a_digest_and_each_is_mended(
    files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = tmp_path / "memory"
    found(files, memory)
    [book] = memory.iterdir()
    whole = book.read_bytes()
    bits = np.random.default_rng(0).permutation(8 * len(whole))[:300]
    for bit in bits.tolist():
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        book.write_bytes(data)
        assert found(files, memory) == expected(files)
        assert book.read_bytes() == whole
    [message] = caplog.messages
    assert f"some of what is kept in {memory} is damaged or gone" in message


def test_what_is_distrusted_is_read_and_put_right_in_the_book(files: list[Path], tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    found(files, memory)
    [book] = memory.iterdir()
    rewrite(book, lambda rows: [row.update(digest=[0] * 32) for row in rows])  # type: ignore[arg-type]
    assert found(files, memory) != expected(files)
    for distrusted in ([0, 2], []):
        digests = [digest.tobytes() for digest in content_digests(files, memory, distrusted=distrusted)]
        assert [digest == bytes(32) for digest in digests] == [False, True, False, True, True]
        assert [digests[row] for row in (0, 2)] == [expected(files)[row] for row in (0, 2)]


@pytest.mark.parametrize("other", ["folder", "pipe", "link", "nothing", "unreadable"])
def test_whatever_has_the_name_of_a_book_is_replaced(files: list[Path], tmp_path: Path, other: str) -> None:
    memory = tmp_path / "memory"
    found(files, memory)
    [book] = memory.iterdir()
    whole = book.read_bytes()
    book.unlink()
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    if other == "folder":
        book.mkdir()
        (book / "file").touch()
    elif other == "pipe":
        os.mkfifo(book)
    elif other == "link":
        book.symlink_to(precious)
    elif other == "unreadable":
        book.write_bytes(b"no book")
    assert found(files, memory) == expected(files)
    assert book.is_file()
    assert not book.is_symlink()
    assert book.read_bytes() == whole
    assert precious.read_bytes() == b"precious"


def test_a_damaged_or_unwritable_memory_costs_time_only(files: list[Path], tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    found(files, memory)
    (book,) = memory.iterdir()
    book.write_bytes(b"PAR1 no more")
    assert found(files, memory) == expected(files)
    (tmp_path / "file").write_text("not a folder")
    assert found(files, tmp_path / "file" / "memory") == expected(files)


def test_a_pipe_beside_a_book_is_not_waited_for(files: list[Path], tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    found(files, memory)
    [book] = memory.iterdir()
    book.unlink()
    os.mkfifo(memory / f".{book.name}.abandoned.partial")
    assert found(files, memory) == expected(files)
    assert [path.name for path in memory.iterdir()] == [book.name]


def test_a_file_that_cannot_be_read_is_an_error(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        found([*files, tmp_path / "gone.jpg"], tmp_path / "memory")


@pytest.mark.parametrize("gap", ["name", *module.STATE, "digest", "inside"])
def test_a_memory_with_gaps_is_not_used(files: list[Path], tmp_path: Path, gap: str) -> None:
    found(files, tmp_path / "memory")
    [book] = (tmp_path / "memory").iterdir()
    change = {"digest": [None, *[0] * 31]} if gap == "inside" else {gap: None}
    rewrite(book, lambda rows: rows.insert(0, {**rows[0], **change}))
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
    with pytest.raises(OSError, match="not a regular file"):
        module._read_book(tmp_path / "pipe")
