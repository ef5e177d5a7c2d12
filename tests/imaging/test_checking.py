from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pytest
from conftest import draw_photo

from maskkit.imaging import checking
from maskkit.imaging.checking import CheckedPhotos, check_photos, unchecked
from maskkit.progress import shown_by

Item = TypeVar("Item")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{index}.jpg" for index in range(9)]
    for index, path in enumerate(paths):
        draw_photo(path, mask="wear", gender="male", age=20 + index, seed=index)
    return paths


def check(paths: list[Path]) -> CheckedPhotos:
    names = pa.chunked_array([[path.name for path in paths]], pa.string())
    return check_photos(paths[0].parent if paths else Path(), names)


def test_photos_that_are_not_looked_at_have_a_digest_of_their_names() -> None:
    lines = "".join(f"- {number}.jpg\n" for number in range(checking.BLOCK + 5))
    names = pa.chunked_array([[f"{number}.jpg" for number in range(checking.BLOCK + 5)]])
    assert unchecked(names) == hashlib.sha256(lines.encode()).hexdigest()


def test_good_photos_have_no_faults_and_a_digest_of_their_bytes_and_names(photos: list[Path]) -> None:
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n" for path in photos)
    assert check(photos) == CheckedPhotos(hashlib.sha256(lines.encode()).hexdigest())


def test_the_digest_changes_with_bytes_names_and_order(photos: list[Path]) -> None:
    before = check(photos).digest
    assert check(photos).digest == before
    assert check(photos[::-1]).digest != before
    renamed = photos[0].rename(photos[0].with_name("other.jpg"))
    assert check([renamed, *photos[1:]]).digest != before
    renamed.rename(photos[0])
    data = bytearray(photos[3].read_bytes())
    data[-10] ^= 1
    photos[3].write_bytes(data)
    assert check(photos).digest != before


def test_each_bad_photo_is_named_with_its_fault(photos: list[Path]) -> None:
    photos[1].unlink()
    photos[2].write_bytes(b"")
    photos[4].write_bytes(photos[4].read_bytes()[:300])
    photos[5].write_text("no photo")
    photos[6].unlink()
    photos[6].mkdir()
    assert check(photos).faults == {
        "1.jpg": "missing",
        "2.jpg": "empty",
        "4.jpg": "cut off",
        "5.jpg": "not a photo",
        "6.jpg": "is a directory",
    }


def test_all_photos_are_looked_at_in_order_however_they_are_blocked(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos[7].write_bytes(b"")
    expected = check(photos)
    for block in (1, 2, 4, 9, 10):
        monkeypatch.setattr(checking, "BLOCK", block)
        assert check(photos) == expected


def test_progress_sees_every_photo(photos: list[Path]) -> None:
    seen: list[object] = []

    def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        seen.append((total, what))
        for item in items:
            seen.append(item)
            yield item

    with shown_by(track):
        check_photos(photos[0].parent, pa.chunked_array([[path.name for path in photos]]))
    assert seen[0] == (9, "photos")
    assert len(seen) == 10


def test_no_photos_have_no_faults() -> None:
    assert check([]).faults == {}
