from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import draw_photo

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.cache.records import Cache
from maskkit.errors import MaskkitError
from maskkit.imaging.checking import check_photos
from maskkit.imaging.decode import decode, load
from maskkit.imaging.faces import reduced
from maskkit.imaging.kept_photos import opened
from maskkit.imaging.photo_file import Budget, limits, photo_bytes, read_photo
from maskkit.imaging.photos import Photos
from maskkit.imaging.survey import survey
from maskkit.imaging.thumbnails import thumbnail
from maskkit.options.values import as_bytes

SEEN = Preprocess(16, 12, (0.5,) * 3, (0.5,) * 3, "bicubic")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def itself(path: Path) -> None:
    path.symlink_to(path.name)


def listening(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 * 2**30)  # which takes no room on the disk


NO_PHOTOS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (pipe, "not a file but a pipe"),
    "device": (device, "not a file but a device"),
    "itself": (itself, "too many levels of symbolic links"),
    "socket": (listening, "not a file but a socket"),
    "folder": (Path.mkdir, "is a directory"),
    "huge": (
        huge,
        "21.5 GB are too many: at most 128 MB are read (MASKKIT_PHOTO_BYTES raises it)",
    ),
    "empty": (Path.touch, "empty"),
    "nowhere": (lambda path: path.symlink_to("gone"), "missing"),
    "long": (lambda _: None, "file name too long"),
}


@pytest.mark.parametrize("kind", NO_PHOTOS)
def test_what_is_no_file_of_a_photo_is_named_at_once_by_every_reader(tmp_path: Path, kind: str) -> None:
    make, why = NO_PHOTOS[kind]
    path = tmp_path / ("x" * 300 if kind == "long" else "x.jpg")
    make(path)
    for read in (decode, reduced, lambda file: load(file, SEEN)):
        with pytest.raises(MaskkitError) as caught:
            read(path)
        assert caught.value.what == f"cannot read the photo {path}"
        assert caught.value.why == why
    assert check_photos(tmp_path, pa.chunked_array([[path.name]])).faults == {path.name: why}
    assert survey([path]).faults == {0: why}
    assert thumbnail(path) is None
    photos = Photos([path], SEEN, cache=Cache(tmp_path / "cache", 10**9), faults={})
    assert opened(photos).faults == {0: why}
    with pytest.raises(MaskkitError, match="cannot read the photo"):
        opened(replace(photos, faults=None))


def test_a_name_that_no_file_can_have_is_a_fault() -> None:
    with pytest.raises(MaskkitError) as caught:
        decode(Path("a\0b.jpg"))
    assert caught.value.why.startswith("no file can have this name: ")


def test_links_to_photos_are_followed(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.jpg", mask="wear", gender="male", age=20, seed=1)
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    assert np.array_equal(decode(tmp_path / "b.jpg"), decode(tmp_path / "a.jpg"))
    assert read_photo(tmp_path / "b.jpg") == (tmp_path / "a.jpg").read_bytes()


def test_limits_can_be_raised_and_lowered(tmp_path: Path, limited: Callable[..., None]) -> None:
    draw_photo(tmp_path / "a.png", mask="wear", gender="male", age=20, seed=1, size=(50, 40))
    size = (tmp_path / "a.png").stat().st_size
    limited(pixels=2000, bytes=size, memory=14_000)
    assert decode(tmp_path / "a.png").size == 6000
    for name, value, words in [
        (
            "pixels",
            1999,
            "50x40 is too large: at most 1,999 pixels are read (MASKKIT_PHOTO_PIXELS raises it)",
        ),
        ("bytes", size - 1, f"{as_bytes(size)} are too many: at most "),
        ("memory", 13_999, "50x40 as PNG takes 14 KB of memory: at most 14 KB are used"),
    ]:
        limited(**{"pixels": 2000, "bytes": size, "memory": 14_000, name: value})
        with pytest.raises(MaskkitError) as caught:
            decode(tmp_path / "a.png")
        assert caught.value.why.startswith(words)


@pytest.mark.parametrize("value", ["much", "-1", "0", "1e9", "9" * 20, "٣"])
def test_a_limit_that_is_no_number_is_an_error(limited: Callable[..., None], value: str) -> None:
    limited(pixels=value)
    with pytest.raises(MaskkitError) as caught:
        limits()
    assert caught.value.what.startswith("MASKKIT_PHOTO_PIXELS is ")
    assert "100000000" in caught.value.fix


def test_limits_in_bytes_can_have_a_unit(limited: Callable[..., None]) -> None:
    limited(memory="2GB", bytes="1.5 MB")
    assert (limits().memory, limits().bytes) == (2 * 10**9, 1_500_000)
    limited(memory="much")
    with pytest.raises(MaskkitError) as caught:
        limits()
    assert caught.value.fix == "use MASKKIT_PHOTO_MEMORY=2GB"


@pytest.mark.parametrize("amount", [5, 99])  # what is more than all there is goes alone
def test_threads_share_a_budget(amount: int) -> None:
    budget, entered = Budget(10), threading.Event()

    def work() -> None:
        with budget.hold(amount):
            entered.set()

    thread = threading.Thread(target=work)
    with budget.hold(6):
        thread.start()
        assert not entered.wait(0.1)
        with budget.hold(4):
            assert not entered.is_set()
    assert entered.wait(20)
    thread.join(20)
    assert budget._used == 0


def test_a_budget_is_given_back_after_an_error() -> None:
    budget = Budget(10)
    with pytest.raises(KeyError), budget.hold(10):
        raise KeyError
    with budget.hold(10):
        assert budget._used == 10


def test_what_is_read_and_decoded_is_within_the_budgets(
    tmp_path: Path, limited: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_photo(tmp_path / "a.png", mask="wear", gender="male", age=20, seed=1, size=(50, 40))
    limited()
    seen: list[tuple[int, int]] = []
    inner = np.asarray

    def note(*args: object, **options: object) -> object:
        seen.append((limits().reading._used, limits().decoding._used))
        return inner(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("maskkit.imaging.decode.np.asarray", note)
    decode(tmp_path / "a.png")
    assert seen == [((tmp_path / "a.png").stat().st_size, 14_000)]
    with photo_bytes(tmp_path / "a.png"):
        assert limits().reading._used == (tmp_path / "a.png").stat().st_size
    assert (limits().reading._used, limits().decoding._used) == (0, 0)
