from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from odd_photos import LONG, SHORT, encoded, png_chunk, tiff
from PIL import Image, PngImagePlugin

from maskkit.imaging import containers
from maskkit.imaging.containers import FORMATS, container, format_of
from maskkit.imaging.decode import Verdict, decode, judged
from maskkit.imaging.photo_file import PhotoError
from maskkit.options.train_options import PHOTO_SUFFIXES

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
PHOTO = Image.fromarray(PIXELS)


@pytest.mark.parametrize("kind", FORMATS)
def test_photos_of_the_formats_on_the_list_are_read(kind: str) -> None:
    data = encoded(PHOTO, kind)
    assert container(data).format == kind
    assert judged(data) == Verdict()
    assert decode(data).shape == (9, 12, 3)


def test_suffixes_of_the_formats_on_the_list_are_taken() -> None:
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS}
    assert set(PHOTO_SUFFIXES) == known - {".apng", ".avifs"} | {".avif"}


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(it ran) print flush {} loop\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (POSTSCRIPT, "PostScript, of which no photos are read; convert it to JPEG or PNG"),
        (b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 12, 99) + POSTSCRIPT, "PostScript, of which"),
        (b"%PDF-1.4\n", "PDF, of which"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, of which"),
        (b"8BPS" + bytes(40), "Photoshop, of which"),
        (b"P6 2 2 255\n" + bytes(12), "not a photo"),  # a format that Pillow would open
        (b"\0\0\x01\0" + bytes(40), "not a photo"),
        (b"<html>", "not a photo"),
        (b"", "empty"),
    ],
)
def test_other_formats_are_refused_by_name_and_nothing_is_run(data: bytes, why: str) -> None:
    assert str(judged(data).fault).startswith(why)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_photo_is_opened_by_the_plugin_of_its_format_alone(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    inner = Image.open

    def note(file: object, *args: object, **options: object) -> Image.Image:
        asked.append(options.get("formats"))
        return inner(file, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image, "open", note)
    decode(encoded(PHOTO, kind))
    assert asked
    assert all(each == [kind] for each in asked)


def test_avif_is_refused_by_name_where_pillow_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "FORMATS", ("JPEG",))
    with pytest.raises(PhotoError, match=r"^AVIF, of which no photos are read"):
        format_of(b"\0\0\0\x20ftypavif" + bytes(20))


def large_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for _ in range(3):
        info.add_text("Comment", "a" * 2_000_000, zip=True)
    info.add_itxt("XML:com.adobe.xmp", "b" * 2_000_000, zip=True)
    return info


def test_pngs_with_large_texts_and_profiles_are_read() -> None:
    sink = io.BytesIO()
    PHOTO.save(sink, "PNG", pnginfo=large_text(), icc_profile=bytes(3_000_000))
    assert judged(sink.getvalue()) == Verdict()
    assert np.array_equal(decode(sink.getvalue()), PIXELS)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"vpAg"])
def test_damaged_chunks_beside_the_pixels_of_a_png_do_not_matter(kind: bytes) -> None:
    plain = encoded(PHOTO, "PNG")
    for payload in (
        b"",
        b"\xff\xff",
        b"name\0\x07damage",
        b"Raw profile type exif\0\0damage",
        b"XML:com.adobe.xmp\0",
    ):
        chunk = png_chunk(kind, payload)
        for broken in (chunk, chunk[:-4] + b"\0\0\0\0"):  # with another checksum
            assert judged(plain[:33] + broken + plain[33:]) == Verdict()
            assert np.array_equal(decode(plain[:33] + broken + plain[33:]), PIXELS)


def test_damaged_pixels_of_a_png_are_refused() -> None:
    plain = encoded(PHOTO, "PNG")
    place = plain.index(b"IDAT") + 10
    assert judged(plain[:place] + bytes([plain[place] ^ 1]) + plain[place + 1 :]).fault
    assert judged(plain[: plain.index(b"IDAT") - 4] + png_chunk(b"IEND", b"")).fault
    half = zlib.compress(PIXELS.tobytes())[:90]
    assert judged(
        plain[: plain.index(b"IDAT") - 4] + png_chunk(b"IDAT", half) + png_chunk(b"IEND", b"")
    ).fault


def raw_profile(exif: bytes) -> bytes:
    text = f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()
    return png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


@pytest.mark.parametrize("compressed", [False, True])
def test_orientation_is_also_found_where_other_programs_write_it(compressed: bool) -> None:
    turned = np.rot90(PIXELS, -1)
    plain = encoded(PHOTO, "PNG")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    xmp = b'<rdf tiff:Orientation="6"/>'
    text = zlib.compress(xmp) if compressed else xmp
    body = b"XML:com.adobe.xmp\0" + bytes([compressed, 0]) + b"\0\0" + text
    for chunk in (raw_profile(exif), png_chunk(b"iTXt", body)):
        assert np.array_equal(decode(plain[:33] + chunk + plain[33:]), turned)
    jpeg = encoded(PHOTO, "JPEG")
    segment = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    marked = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]
    assert np.array_equal(decode(marked), np.rot90(decode(jpeg), -1))


@pytest.mark.parametrize("mode", ["F", "I"])
def test_tiffs_of_numbers_without_a_range_are_refused(mode: str) -> None:
    sink = io.BytesIO()
    Image.new(mode, (4, 3), 1).save(sink, "TIFF")
    assert str(judged(sink.getvalue()).fault).startswith("its values are no shades")


def grey_tiff(values: np.ndarray, *, bits: int, photometric: int, raw: bytes) -> bytes:
    height, width = values.shape
    numbers = {256: width, 257: height, 259: 1, 262: photometric, 273: 0, 277: 1, 278: height, 279: len(raw)}
    tags = sorted([*((tag, LONG, value) for tag, value in numbers.items()), (258, SHORT, bits)])
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, 1, start if tag == 273 else value) for tag, kind, value in tags
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + raw


def test_grey_tiffs_of_16_and_12_bits_keep_their_range() -> None:
    deep = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    plain = grey_tiff(deep, bits=16, photometric=1, raw=deep.tobytes())
    assert np.abs(decode(plain)[..., 0].astype(int) - deep // 256).max() <= 1
    inverted = grey_tiff(deep, bits=16, photometric=0, raw=deep.tobytes())
    assert np.abs(decode(inverted)[..., 0].astype(int) - (255 - deep // 256)).max() <= 1
    first, second = (deep // 16)[:, 0::2].ravel(), (deep // 16)[:, 1::2].ravel()
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8)
    twelve = grey_tiff(deep, bits=12, photometric=1, raw=packed.tobytes())
    assert np.abs(decode(twelve)[..., 0].astype(int) - deep // 256).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pngs_of_16_bits_per_colour_keep_their_range(mode: str) -> None:
    depth = len(mode)
    values = np.full((6, 6, depth), 65535, np.uint16)
    values[..., :3] = np.linspace(0, 65535, 108).reshape(6, 6, 3).astype(np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 6, 6, 16, {3: 2, 4: 6}[depth], 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows))
    found = decode(data + png_chunk(b"IEND", b""))
    assert np.abs(found.astype(int) - values[..., :3] // 256).max() <= 1


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)


LARGE = (16383).to_bytes(3, "little") * 2
THIN = struct.pack(">IIBBBBB", 1, 10_000_000, 8, 0, 0, 0, 0)


def test_a_photo_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", THIN) + png_chunk(b"IDAT", zlib.compress(bytes(99)))
    assert judged(data).fault == "1x10000000 is no photo: at most 1,000,000 rows or columns are read"


BOMBS = {
    "canvas": riff(webp_chunk(b"VP8X", bytes(4) + LARGE), webp_chunk(b"VP8 ", bytes(30))),
    "lossy": riff(
        webp_chunk(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383) + bytes(20))
    ),
    "lossless": riff(webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", 2**28 - 1) + bytes(20))),
    "tile": tiff(
        PIXELS, (322, LONG, 1, struct.pack("<I", 60_000)), (323, LONG, 1, struct.pack("<I", 60_000))
    ),
    "bmp": b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 20_000, 20_000, 1, 24, 0) + bytes(99),
    "gif": b"GIF89a"
    + struct.pack("<HH", 65_000, 65_000)
    + bytes(3)
    + b","
    + struct.pack("<4H", 0, 0, 9, 9)
    + bytes(9),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_header(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("it was decoded"))
    if name in ("canvas", "lossy", "lossless"):
        monkeypatch.setattr("PIL._webp.WebPAnimDecoder", lambda *_: pytest.fail("it was opened"))
    assert "is too large: at most 100,000,000 pixels are read" in str(judged(BOMBS[name]).fault)


def test_bmps_of_runs_are_read_if_they_are_small() -> None:
    def bmp(width: int, height: int, runs: bytes) -> bytes:
        palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
        start = 14 + 40 + len(palette)
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
        return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + info + palette + runs

    assert (decode(bmp(4, 2, b"\4\x80\0\0\4\x40\0\0\0\1"))[:, 0, 0] == (0x40, 0x80)).all()
    for height in (3000, -3000):
        words = "3000x3000 is too large: at most 4,000,000 pixels of a BMP of runs"
        assert str(judged(bmp(3000, height, b"\0\1")).fault) == words


def test_containers_of_endless_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MOST_CHUNKS", 20)
    plain = encoded(PHOTO, "PNG")
    chunk = png_chunk(b"tEXt", b"a")
    assert judged(plain[:33] + chunk * 10 + plain[33:]) == Verdict()
    assert judged(plain[:33] + chunk * 20 + plain[33:]).fault == "it has more than 20 chunks"
    strips = (273, LONG, 21, struct.pack("<21I", *[8] * 21))
    assert judged(tiff(PIXELS, strips)).fault == "it has more than 20 strips or tiles, or values of a tag"


def test_all_pages_but_the_first_are_passed_over() -> None:
    sink = io.BytesIO()
    PHOTO.save(sink, "TIFF", save_all=True, append_images=[Image.new("RGB", (99, 99))])
    assert np.array_equal(decode(sink.getvalue()), PIXELS)


def test_a_large_photo_is_converted_a_strip_at_a_time_to_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for mode in ("RGB", "RGBA", "LA", "P", "1", "I;16"):
        image = (
            Image.fromarray(np.arange(700, dtype=np.uint16).reshape(35, 20) * 93) if mode == "I;16" else PHOTO
        )
        sink = io.BytesIO()
        image.convert(mode).save(sink, "PNG")
        monkeypatch.setattr("maskkit.imaging.shades.STRIP", 10**6)
        whole = decode(sink.getvalue())
        monkeypatch.setattr("maskkit.imaging.shades.STRIP", 30)
        assert np.array_equal(decode(sink.getvalue()), whole)


def test_no_plugin_of_another_format_is_loaded(tmp_path: Path) -> None:
    for kind in FORMATS:
        (tmp_path / kind).write_bytes(encoded(PHOTO, kind))
    (tmp_path / "x.jpg").write_bytes(POSTSCRIPT)
    code = """
import sys
from pathlib import Path
from maskkit.imaging.decode import judged
print(*(judged(file.read_bytes()).fault is None for file in sorted(Path(sys.argv[1]).iterdir())))
print("PIL.EpsImagePlugin" in sys.modules)
"""
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * len(FORMATS) + ["False", "False"]


def test_no_decoder_prints_anything_of_damaged_photos(capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(5)
    for kind in FORMATS:
        data = np.frombuffer(encoded(PHOTO, kind), np.uint8)
        for _ in range(60):
            broken = data.copy()
            broken[random.integers(12, len(data), 5)] = random.integers(0, 256, 5)
            judged(broken.tobytes())
    assert capfd.readouterr() == ("", "")


def test_only_the_first_picture_of_a_gif_and_how_it_is_drawn_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = io.BytesIO()
    first = PHOTO.quantize(16)
    first.save(
        sink,
        "GIF",
        transparency=3,
        comment=b"a" * 5000,
        save_all=True,
        append_images=[Image.new("P", (9, 9))],
    )
    rgba = first.copy()
    rgba.info["transparency"] = 3
    white = Image.new("RGBA", PHOTO.size, "white")
    expected = np.asarray(Image.alpha_composite(white, rgba.convert("RGBA")).convert("RGB"))
    data = sink.getvalue()
    assert np.array_equal(decode(data), expected)
    assert b"aaaa" not in container(data).data
    start = 13 + 3 * 16
    monkeypatch.setattr(containers, "MOST_CHUNKS", 50)
    for junk in (b"\0" * 60, b"!\xfe\x01a\0" * 60, b"!\xfe" + b"\x01a" * 60 + b"\0"):
        assert "it has more than 50 parts" in str(judged(data[:start] + junk + data[start:]).fault)
        assert judged(data[:start] + junk[:40]) == Verdict(fault="cut off")
    assert judged(data[:start] + b";") == Verdict(fault="cut off")
