from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_photo
from numpy.typing import NDArray
from odd_photos import TURNED
from PIL import Image

from maskkit.artifacts.checkpoint import Crop, Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging import decode as module
from maskkit.imaging.decode import FileFacts, Verdict, decode, fault, judged, load, opened

ORIENTATION = 0x0112


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def photo(path: Path, *, size: tuple[int, int] = (40, 30)) -> Path:
    Image.fromarray(noise(size[1], size[0], 3)).save(path)
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    assert judged(path.read_bytes()) == Verdict()
    found = decode(path)
    assert found.shape[2] == 3
    assert found.dtype == np.uint8
    return found


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_photos_are_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = Image.fromarray(noise(24, 16, 3))
    stored.save(tmp_path / f"plain.{suffix}")
    stored.save(tmp_path / f"turned.{suffix}", exif=exif)
    expected = TURNED[orientation](pixels(tmp_path / f"plain.{suffix}"))
    assert np.array_equal(pixels(tmp_path / f"turned.{suffix}"), expected)


@pytest.mark.parametrize("exif", [b"Exif\x00\x00garbage", b"", b"Exif\x00\x00II*\x00\xff\xff\xff\xff"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of the damage
def test_damaged_exif_data_does_not_spoil_a_photo(tmp_path: Path, exif: bytes) -> None:
    Image.fromarray(noise(24, 16, 3)).save(tmp_path / "a.jpg", exif=exif)
    assert pixels(tmp_path / "a.jpg").shape == (24, 16, 3)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = noise(5, 7)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png"), np.repeat(grey[..., None], 3, axis=2))


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    bits = noise(5, 7) > 127
    Image.fromarray(bits).save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png")[..., 1], bits * 255)


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert np.abs(pixels(tmp_path / "a.png")[..., 0].astype(int) - deep // 256).max() <= 1


def test_a_palette_becomes_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(noise(8, 8, 3)).quantize(16)
    image.save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (4, 2), (0, 0, 0, 0) if mode == "RGBA" else (0, 0))
    image.paste((10, 20, 30, 255) if mode == "RGBA" else (10, 255), (0, 0, 2, 2))
    image.save(tmp_path / "a.png")
    found = pixels(tmp_path / "a.png")
    assert (found[:, 2:] == 255).all()
    assert (found[:, :2] == ((10, 20, 30) if mode == "RGBA" else (10, 10, 10))).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_is_white_too(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (4, 2), (200, 0, 0))
    image.paste((0, 0, 255), (0, 0, 2, 2))
    image = image.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else image.convert(mode)
    first = image.getpixel((0, 0))
    image.save(tmp_path / "a.png", transparency=first)
    found = pixels(tmp_path / "a.png")
    assert (found[:, :2] == 255).all()
    assert not (found[:, 2:] == 255).all()


def test_cmyk_shows_the_colours_it_prints(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 60, 20)).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    assert np.abs(pixels(tmp_path / "a.jpg").mean((0, 1)) - (200, 60, 20)).max() < 6


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (7, 7), (9, 8)])
def test_photos_of_any_size_pass(tmp_path: Path, size: tuple[int, int]) -> None:
    assert pixels(photo(tmp_path / "a.jpg", size=size)).shape == (size[1], size[0], 3)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    photo(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(pixels(tmp_path / "a.jpg"), noise(30, 40, 3))


def test_enlarges_by_the_models_filter(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png", size=(8, 12))
    found = {}
    for name, resampling in module.FILTERS.items():
        found[name] = load(path, Preprocess(20, 10, (0.5,) * 3, (0.5,) * 3, name))
        assert found[name].shape == (20, 10, 3)
        assert found[name].dtype == np.uint8
        assert np.array_equal(found[name], np.asarray(Image.open(path).resize((10, 20), resampling)))
    assert not np.array_equal(found["bicubic"], found["bilinear"])


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """Draw slow waves of each colour, which survive JPEG."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width) * 9
    return np.stack([127 + 100 * np.sin(x + k) * np.cos(y - k) for k in range(3)], axis=2).astype(np.uint8)


def test_reduces_by_the_mean_of_the_pixels_that_each_new_one_covers(tmp_path: Path) -> None:
    pixels = smooth(80, 60)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    means = pixels.reshape(20, 4, 15, 4, 3).mean(axis=(1, 3))
    assert np.abs(load(tmp_path / "a.png", sized(20, 15)) - means).max() <= 0.5


@pytest.mark.parametrize("size", [(128, 96), (96, 128), (100, 100), (256, 192), (224, 224)])
def test_a_jpeg_decoded_at_a_smaller_scale_looks_as_if_reduced_from_the_whole(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.fromarray(smooth(512, 384)).save(tmp_path / "a.jpg", quality=95)
    whole = Image.open(tmp_path / "a.jpg").convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC)
    difference = np.abs(load(tmp_path / "a.jpg", sized(*size)).astype(int) - np.asarray(whole))
    assert difference.mean() < 0.7
    assert difference.max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_is_upright_at_every_scale(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(smooth(512, 384))
    stored.save(tmp_path / "a.jpg", quality=95, exif=exif)
    upright = decode(tmp_path / "a.jpg")
    expected = np.asarray(Image.fromarray(upright).resize((24, 64), Image.Resampling.BOX)).astype(int)
    assert np.abs(load(tmp_path / "a.jpg", sized(64, 24)) - expected).mean() < 1.5


MIDDLE = (0.25, 0.25, 0.75, 0.75)
FACE = np.array([0.375, 0.375, 0.625, 0.625], np.float32)  # half of MIDDLE
WHOLE = np.array([0, 0, 1, 1], np.float32)


def cutting(height: int, width: int, *, margin: float = 0.0) -> Preprocess:
    return replace(sized(height, width), crop=Crop(margin, MIDDLE))


@pytest.mark.parametrize(
    ("box", "margin"), [(FACE, 0.5), (None, 0.0)], ids=["a face and its margin", "no face: the fallback"]
)
def test_loads_the_part_that_is_cut_out_as_if_it_were_the_photo(
    tmp_path: Path, box: np.ndarray | None, margin: float
) -> None:
    pixels = smooth(512, 384)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[128:384, 96:288]).save(tmp_path / "part.png")
    cut = cutting(64, 48, margin=margin)
    part = load(tmp_path / "part.png", sized(64, 48))
    assert np.array_equal(load(tmp_path / "a.png", cut, box=box), part)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(load(tmp_path / "a.jpg", cut, box=box).astype(int) - part).mean() < 1.5


def test_a_model_that_sees_whole_photos_passes_over_boxes(tmp_path: Path) -> None:
    Image.fromarray(smooth(64, 48)).save(tmp_path / "a.png")
    assert np.array_equal(
        load(tmp_path / "a.png", sized(32, 24), box=FACE), load(tmp_path / "a.png", sized(32, 24))
    )


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_turned_jpeg_is_cut_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth(512, 384)).save(tmp_path / "a.jpg", quality=95, exif=exif)
    Image.fromarray(decode(tmp_path / "a.jpg")).save(tmp_path / "upright.png")
    found, wanted = (load(tmp_path / name, cutting(64, 24), box=FACE) for name in ("a.jpg", "upright.png"))
    assert np.abs(found.astype(int) - wanted).mean() < 1.5


def test_what_is_cut_out_keeps_its_shape(tmp_path: Path) -> None:
    circle = np.zeros((200, 300, 3), np.uint8)
    y, x = np.ogrid[:200, :300]
    circle[np.hypot(x - 150, y - 100) < 30] = 255
    Image.fromarray(circle).save(tmp_path / "a.png")
    face = np.array([0.4, 0.2, 0.6, 0.8], np.float32)  # 60 x 120 pixels
    lit = load(tmp_path / "a.png", cutting(100, 100, margin=0.1), box=face)[:, :, 0] > 127
    assert abs(int(lit.any(0).sum()) - int(lit.any(1).sum())) <= 1


@pytest.mark.parametrize("size", [(2, 2), (3, 200), (200, 3)])
def test_cutting_never_comes_to_nothing_or_beyond_the_edge(tmp_path: Path, size: tuple[int, int]) -> None:
    white = np.full((*size, 3), 255, np.uint8)
    Image.fromarray(white).save(tmp_path / "a.png")
    for box in (FACE, WHOLE, np.array([0.99, 0.99, 1, 1], np.float32)):
        assert (load(tmp_path / "a.png", cutting(8, 6, margin=0.3), box=box) == 255).all()


def sized(height: int, width: int) -> Preprocess:
    return Preprocess(height, width, (0.5,) * 3, (0.5,) * 3, "bicubic")


def broken(folder: Path, name: str) -> Path:
    path = folder / name
    whole = io.BytesIO()
    Image.fromarray(noise(60, 60, 3)).save(whole, "JPEG" if "jpg" in name else "PNG")
    data = bytearray(whole.getvalue())
    if name.startswith("cut"):
        data = data[: len(data) // 2]
    elif name.startswith("end"):
        data = data[:-60]
    elif name.startswith("head"):
        data = data[:15]
    elif name.startswith("text"):
        data = bytearray(b"this is no photo")
    elif name.startswith("empty"):
        data = bytearray()
    elif name.startswith("folder"):
        path.mkdir()
        return path
    if not name.startswith("missing"):
        path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cut.jpg", "cut off"),
        ("end.jpg", "cut off"),
        ("cut.png", "cut off"),
        ("end.png", "cut off"),
        ("head.jpg", "cut off"),
        ("text.jpg", "not a photo"),
        ("empty.jpg", "empty"),
        ("missing.jpg", "missing"),
        ("folder.jpg", "is a directory"),
    ],
)
def test_a_file_that_is_no_whole_photo_is_named_with_the_reason(tmp_path: Path, name: str, why: str) -> None:
    path = broken(tmp_path, name)
    with pytest.raises(MaskkitError) as caught:
        decode(path)
    assert str(path) in caught.value.what
    assert caught.value.why == why
    if path.is_file():
        assert judged(path.read_bytes()).fault == why


def test_what_decodes_and_what_passes_the_check_are_the_same_wherever_a_file_is_cut(tmp_path: Path) -> None:
    whole = photo(tmp_path / "whole.jpg").read_bytes()
    path = tmp_path / "cut.jpg"
    for end in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:end])
        assert judged(whole[:end]).fault is not None
        with pytest.raises(MaskkitError):
            decode(path)


def test_a_decompression_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: Callable[..., None]
) -> None:
    path = photo(tmp_path / "a.png", size=(50, 40))
    limited(pixels=1999)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(MaskkitError) as caught:
        decode(path)
    assert caught.value.why.startswith("50x40 is too large")
    assert str(judged(path.read_bytes()).fault).startswith("50x40 is too large")


def test_a_real_bomb_is_refused_at_once(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)  # 30 GB of pixels
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6)))
    )
    with pytest.raises(MaskkitError) as caught:
        decode(path)
    assert caught.value.why.startswith("100000x100000 is too large")


def test_a_fault_without_words_is_called_by_its_kind() -> None:
    assert fault(ValueError()) == "ValueError"
    assert fault(PermissionError(13, "Permission denied", "/x")) == "permission denied"


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_photos_are_opened_with_the_pixels_that_pillow_gives(tmp_path: Path, scale: int) -> None:
    file = tmp_path / "a.jpg"
    draw_photo(file, mask="wear", gender="male", age=40, seed=1, size=(96, 64))
    with opened(file.read_bytes(), name="a", scale=scale) as (kind, found):
        pixels = found
    with Image.open(file) as image:
        image.draft(None, (96 // scale, 64 // scale))
        wanted = np.asarray(image.convert("RGB"))
    assert np.array_equal(pixels[..., ::-1], wanted)
    assert kind == FileFacts("JPEG", "RGB", 96, 64)


def test_a_file_that_goes_on_after_the_photo_is_opened_too(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    draw_photo(file, mask="wear", gender="male", age=40, seed=1, size=(96, 64))
    with (
        opened(file.read_bytes(), name="a") as (_, plain),
        opened(file.read_bytes() + b"\0" * 8, name="a") as (_, longer),
    ):
        assert np.array_equal(longer, plain)
