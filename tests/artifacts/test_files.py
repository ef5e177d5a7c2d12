from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from maskkit.artifacts import files
from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError


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


def test_bytes_that_were_let_go_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 100_000)
    source = Source.open(path)
    source.let_go()
    assert source.data.to_pybytes() == b"x" * 100_000
    source.let_go()
    path.write_bytes(b"y" * 100_000)
    with pytest.raises(MaskkitError, match="changed while it was read"):
        assert source.data


def test_bytes_of_no_file_are_not_let_go(tmp_path: Path) -> None:
    source = Source("not_there.parquet", Source.open(__file__).data)
    source.let_go()
    assert source.data.size


def test_a_file_that_loses_its_end_costs_no_bus_error(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 100_000)
    source = Source.open(path)
    os.truncate(path, 0)  # `maskkit label ... > a.bin` begins so
    assert source.data.to_pybytes() == b"x" * 100_000


def test_a_file_that_is_being_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 100_000)
    states, fstat = [], os.fstat

    def written_meanwhile(handle: int) -> os.stat_result:
        states.append(fstat(handle))
        if len(states) == 1:
            os.truncate(path, 50_000)
        return states[-1]

    monkeypatch.setattr(os, "fstat", written_meanwhile)
    with pytest.raises(MaskkitError, match="changed while it was read"):
        Source.open(path)


def test_a_file_larger_than_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.parquet"
    path.touch()
    os.truncate(path, 1 << 42)
    with pytest.raises(MaskkitError, match=r"sparse\.parquet is too large"):
        Source.open(path)


def test_a_device_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4096}.__getitem__)
    monkeypatch.setattr(files, "BLOCK", 4096)
    with pytest.raises(MaskkitError, match="/dev/zero is too large"):
        Source.open("/dev/zero")
