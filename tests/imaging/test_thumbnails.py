from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

import pytest
from PIL import Image

from maskkit.imaging.thumbnails import HEIGHT, WIDEST, thumbnail


def opened(uri: str) -> Image.Image:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(b64decode(data)))


def test_a_photo_becomes_a_small_jpeg_of_the_same_shape(tmp_path: Path) -> None:
    Image.new("RGB", (384, 512), "red").save(tmp_path / "a.png")
    small = opened(thumbnail(tmp_path / "a.png") or "")
    assert small.size == (HEIGHT * 3 // 4, HEIGHT)


def test_a_very_wide_photo_is_cut_and_a_very_high_one_stays_visible(tmp_path: Path) -> None:
    Image.new("RGB", (5000, 50)).save(tmp_path / "wide.png")
    Image.new("RGB", (1, 2000)).save(tmp_path / "high.png")
    assert opened(thumbnail(tmp_path / "wide.png") or "").size == (HEIGHT * WIDEST, HEIGHT)
    assert opened(thumbnail(tmp_path / "high.png") or "").size == (1, HEIGHT)


def test_a_broken_photo_has_none_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    assert thumbnail(tmp_path / "a.jpg") is None
    assert f"no picture of {tmp_path / 'a.jpg'}: " in caplog.text
