"""What `label` accepts, every reader reads, and to the same pixels whatever tags but orientation say."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from odd_photos import DAMAGED, NONSENSE, ODD_TAGS, TURNED, encoded, exif, oriented, tiff, with_exif
from PIL import Image, features

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.decode import Verdict, decode, judged, load, opened
from maskkit.imaging.faces import reduced
from maskkit.imaging.survey import PROPERTIES, measure
from maskkit.imaging.thumbnails import thumbnail

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF"]
MODES = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["RGB", "RGBA"],
    "TIFF": ["RGB"],
}
SEEN = Preprocess(16, 12, (0.5,) * 3, (0.5,) * 3, "bicubic")


def picture(random: np.random.Generator, mode: str) -> Image.Image:
    height, width = (int(size) for size in random.integers(1, 40, 2))
    image = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width), np.uint16))
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(random.integers(0, 256, (height, width), np.uint8)))
    return image.convert(mode)


def read_by_all(folder: Path, data: bytes) -> NDArray[np.uint8]:
    """Read a photo as every reader does, each of which must agree with the first; return upright RGB."""
    file = folder / "photo"
    file.write_bytes(data)
    pixels = decode(file)
    assert np.array_equal(decode(data), pixels)
    for scale in (1, 2, 8):
        with opened(data, name="photo", scale=scale) as (facts, found):
            assert (facts.height, facts.width) == pixels.shape[:2]
            assert scale > 1 or np.array_equal(found[..., ::-1], pixels)
    entry = np.zeros(1, PROPERTIES)
    assert measure(file, entry[0]) is None
    assert (entry["height"][0], entry["width"][0]) == pixels.shape[:2]
    assert load(file, SEEN).shape == (16, 12, 3)
    assert thumbnail(file) is not None
    assert reduced(file).shape[2] == 3
    return pixels


def agree(folder: Path, seed: int) -> None:
    """Check the law on a photo that is drawn by this seed."""
    random = np.random.default_rng(seed)
    kind = str(random.choice(FORMATS))
    image = picture(random, str(random.choice(MODES[kind])))
    turn = int(random.integers(1, 9))
    tags = [oriented(turn, "<")]
    if random.random() < 0.3:
        turn, tags = 1, [NONSENSE[str(random.choice(list(NONSENSE)))]]
    names = random.choice(list(ODD_TAGS), random.integers(0, 4), replace=False)
    tags += [ODD_TAGS[str(name)] for name in names]
    if kind == "TIFF":
        pixels = np.asarray(image)  # tags that its pixels depend on are no metadata
        own = (0x0100, 0x0102)
        data, plain = tiff(pixels, *[tag for tag in tags if tag[0] not in own]), tiff(pixels)
    else:
        metadata = exif(*tags)
        if random.random() < 0.15:
            turn, metadata = 1, DAMAGED[str(random.choice(list(DAMAGED)))]
        plain = encoded(image, kind)
        data = with_exif(plain, kind, metadata)
    assert judged(data) == Verdict(), (seed, kind)
    assert np.array_equal(read_by_all(folder, data), TURNED[turn](decode(plain))), (seed, kind)


@pytest.mark.parametrize("part", range(4))
def test_what_is_accepted_is_read_alike_by_all_readers_whatever_its_metadata(
    tmp_path: Path, part: int
) -> None:
    for seed in range(60):
        agree(tmp_path, 1000 * part + seed)


@pytest.mark.slow
def test_so_are_thousands_of_photos(tmp_path: Path) -> None:
    for seed in range(10_000, 16_000):
        agree(tmp_path, seed)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
@pytest.mark.parametrize("turn", range(1, 9))
def test_avif_is_turned_by_its_own_orientation(tmp_path: Path, turn: int) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 16, 3), np.uint8))
    turned = Image.Exif()
    turned[0x0112] = turn
    turned[0x010E] = "a photo"
    sink = io.BytesIO()
    image.save(sink, "AVIF", exif=turned, quality=100)
    data = sink.getvalue()
    text = struct.pack(">HHI", 0x010E, 2, 8)
    expected = TURNED[turn](decode(encoded(image, "AVIF")))
    for odd in (text, struct.pack(">HHI", 0x0112, 2, 8), struct.pack(">HHI", 0x011A, 10, 1), b"\xff" * 8):
        assert data.count(text) == 1
        # What Pillow may fail to write again, such as a negative resolution.
        changed = data.replace(text, odd).replace(b"a photo\0", struct.pack(">ii", -72, 1))
        assert judged(changed) == Verdict()
        assert np.array_equal(read_by_all(tmp_path, changed), expected)
