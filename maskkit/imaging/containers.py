"""The formats of photos, known by their first bytes, and of each what its pixels need: no metadata.

Decoders stumble over metadata: text where a number is meant, profiles of many megabytes, directories that
lead nowhere. What they never see cannot refuse a photo whose pixels are sound.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from PIL import features

from maskkit.imaging.jpeg import JpegFacts, jpeg_facts, without_metadata
from maskkit.imaging.orientation import UPRIGHT, orientation_of, tag_directory
from maskkit.imaging.photo_file import MOST_PIXELS, PhotoError, limits

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *(["AVIF"] if features.check("avif") else []))
for _name in ("Jpeg", "Png", "WebP", "Bmp", "Gif", "Tiff", *(["Avif"] if "AVIF" in FORMATS else [])):
    import_module(f"PIL.{_name}ImagePlugin")  # else Pillow loads all that it has
PNG_START: Final = b"\x89PNG\r\n\x1a\n"
PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
MOST_CHUNKS: Final = 100_000
MOST_ROWS: Final = 1_000_000  # Pillow takes time and memory for each, however few pixels it has
MOST_METADATA: Final = 1_000_000  # bytes of compressed text, once it is not
# Tags of TIFF 6.0 and its supplements that pixels depend on; others, such as a text that is no text, are not
# handed on.
TIFF_KEPT: Final = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}
    | {332, 336, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532}
)
WIDTH, LENGTH, TILE_WIDTH, TILE_LENGTH = 256, 257, 322, 323
# Pillow reads run lengths in Python, a microsecond each.
MOST_RUN_PIXELS: Final = 4_000_000

# Photos in other formats, by their first bytes, so that an error can name them.
OTHERS: Final = {
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"<svg": "SVG",
}
HEIC: Final = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"})
TIFF_HEADER: Final = re.compile(rb"II\*\0|MM\0\*")
AVIF: Final = frozenset({b"avif", b"avis", b"mif1", b"msf1"})


@dataclass(frozen=True)
class Container:
    """A photo's file, as far as its pixels need it."""

    format: str  # one of FORMATS
    data: bytes  # without metadata, for Pillow; it says that the photo is upright
    orientation: int = UPRIGHT  # 1 to 8, as EXIF numbers them
    jpeg: JpegFacts | None = None  # of a JPEG


def format_of(start: bytes) -> str:
    """Return the format that a file of these first bytes, 16 or more, has.

    Raises:
        PhotoError: None of FORMATS; a known one is named.
    """
    brand = start[8:12]
    known = {
        "JPEG": start.startswith(b"\xff\xd8\xff"),
        "PNG": start.startswith(PNG_START),
        "WEBP": start.startswith(b"RIFF") and brand == b"WEBP",
        "BMP": start.startswith(b"BM"),
        "GIF": start.startswith((b"GIF87a", b"GIF89a")),
        "TIFF": start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        "AVIF": start[4:8] == b"ftyp" and brand in AVIF,
    }
    found = next((name for name, is_it in known.items() if is_it), None)
    if found in FORMATS:
        return str(found)
    other = "HEIC" if start[4:8] == b"ftyp" and brand in HEIC else found
    other = other or next((name for magic, name in OTHERS.items() if start.startswith(magic)), None)
    if other is None:
        raise PhotoError("not a photo")
    raise PhotoError(f"{other}, of which no photos are read; convert it to JPEG or PNG")


def container(data: bytes) -> Container:
    """Return what the pixels of a photo need, and which way up they are.

    Raises:
        PhotoError: It is of no known format, or made to cost more than a photo does.
    """
    if not data:
        raise PhotoError("empty")
    kind = format_of(data[:32])
    if kind == "JPEG":
        facts = jpeg_facts(data)
        turned = orientation_of(facts.exif, facts.xmp)
        return Container(kind, without_metadata(data, facts), turned, facts)
    if kind == "PNG":
        return _png(data)
    if kind == "WEBP":
        return _webp(data)
    if kind == "TIFF":
        return _tiff(data)
    if kind == "AVIF":
        return _avif(data)
    if kind == "GIF":
        return _gif(data)
    if kind == "BMP":
        _refuse_long_runs(data)
    return Container(kind, data)


def refuse_too_many_pixels(width: int, height: int) -> None:
    """Raise a PhotoError if a photo has more pixels than are read."""
    if max(width, height) > MOST_ROWS:
        raise PhotoError(f"{width}x{height} is no photo: at most {MOST_ROWS:,} rows or columns are read")
    most = limits().pixels
    if width * height > most:
        raise PhotoError(
            f"{width}x{height} is too large: at most {most:,} pixels are read ({MOST_PIXELS[0]} raises it)"
        )


def _png(data: bytes) -> Container:
    """Take a PNG by its chunks; https://www.w3.org/TR/png-3, section 11."""
    kept, exif, xmp = [PNG_START], b"", b""
    for kind, start, end in _chunks(data, len(PNG_START), order=">", tail=4):
        payload = data[start + 8 : end - 4]
        if kind == b"eXIf":
            exif = payload
        elif kind == b"zTXt" and payload.startswith(b"Raw profile type exif\0"):
            exif = exif or _raw_profile(payload)
        elif kind == b"iTXt" and payload.startswith(b"XML:com.adobe.xmp\0"):
            xmp = _international_text(payload)
        if kind in PNG_KEPT:
            kept.append(data[start:end])
        if kind == b"IEND":
            break
    return Container("PNG", b"".join(kept), orientation_of(exif, xmp))


def _webp(data: bytes) -> Container:
    """Take a WebP by its chunks; https://developers.google.com/speed/webp/docs/riff_container."""
    metadata = {b"EXIF": b"", b"XMP ": b""}
    for kind, start, end in _chunks(data, 12, order="<", tail=0):
        payload = data[start + 8 : min(end, start + 8 + MOST_METADATA)]
        if kind == b"VP8X" and len(payload) >= 10:  # the decoder makes room for it at once
            width, height = (1 + int.from_bytes(payload[at : at + 3], "little") for at in (4, 7))
            refuse_too_many_pixels(width, height)
        elif kind == b"VP8 " and len(payload) >= 10:
            refuse_too_many_pixels(*(size & 0x3FFF for size in struct.unpack_from("<HH", payload, 6)))
        elif kind == b"VP8L" and len(payload) >= 5:
            bits = int.from_bytes(payload[1:5], "little")
            refuse_too_many_pixels(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        elif kind in metadata:
            metadata[kind] = payload
    return Container("WEBP", data, orientation_of(metadata[b"EXIF"], metadata[b"XMP "]))


def _tiff(data: bytes) -> Container:
    """Take the first directory of a TIFF, and of its tags those that pixels depend on."""
    found = tag_directory(data)
    if found is None:
        raise PhotoError("cut off")
    values = {entry.tag: entry.value for entry in found.entries}
    for wide, high in ((WIDTH, LENGTH), (TILE_WIDTH, TILE_LENGTH)):
        refuse_too_many_pixels(values.get(wide) or 0, values.get(high) or 0)
    kept = [entry for entry in found.entries if entry.tag in TIFF_KEPT]
    if any(entry.count > MOST_CHUNKS for entry in kept):
        raise PhotoError(f"it has more than {MOST_CHUNKS:,} strips or tiles, or values of a tag")
    changed = bytearray(data)
    number, offset = ("Q", "Q") if found.is_big else ("H", "I")
    struct.pack_into(found.order + number, changed, found.start, len(kept))
    place = found.start + struct.calcsize(number)
    for entry in kept:
        changed[place : place + entry.size] = data[entry.start : entry.start + entry.size]
        place += entry.size
    if len(kept) < len(found.entries):  # then there is room; other pages are not read
        struct.pack_into(found.order + offset, changed, place, 0)
    return Container("TIFF", bytes(changed), found.orientation or UPRIGHT)


def _avif(data: bytes) -> Container:
    """Take an AVIF, which is turned by properties of its own; its EXIF data are blanked.

    Pillow writes the orientation into EXIF data, whatever else is in them, when it opens one.
    """
    *_, exif, turned, _xmp = import_module("PIL._avif").AvifDecoder(data, "auto", 1).get_info()
    start = data.find(exif) if exif else -1
    end = start + len(exif or b"")
    header = TIFF_HEADER.search(data, start, end) if start >= 0 else None
    if header is not None:
        blank = (8).to_bytes(4, "little" if header[0].startswith(b"I") else "big")  # where no directory is
        data = data[: header.end()] + blank.ljust(end - header.end(), b"\0") + data[end:]
    return Container("AVIF", data, turned)


def _gif(data: bytes) -> Container:
    """Take the first picture of a GIF and how it is drawn; https://www.w3.org/Graphics/GIF/spec-gif89a.txt."""
    has_palette, size = data[10:11] > b"\x7f", data[10] & 7 if len(data) > 10 else 0
    start = place = 13 + (6 << size if has_palette else 0)
    control = b""
    for _ in range(MOST_CHUNKS):
        code = data[place : place + 1]
        if code == b",":
            return Container("GIF", data[:start] + control + data[place:])
        if code in (b"", b";"):
            raise PhotoError("cut off")
        end = place + 1
        if code == b"!":
            end = _after_blocks(data, place + 2)
            control = data[place:end] if data[place + 1 : place + 2] == b"\xf9" else control
        place = end
    raise PhotoError(f"it has more than {MOST_CHUNKS:,} parts before its picture")


def _after_blocks(data: bytes, place: int) -> int:
    """Return where a row of blocks, each headed by its length and the last empty, ends."""
    for _ in range(MOST_CHUNKS):
        length = data[place] if place < len(data) else 0
        place += 1 + length
        if not length:
            return place
    raise PhotoError(f"it has more than {MOST_CHUNKS:,} parts before its picture")


def _refuse_long_runs(data: bytes) -> None:
    if len(data) < 34 or int.from_bytes(data[14:18], "little") < 40:
        return
    width, height = struct.unpack_from("<ii", data, 18)
    if int.from_bytes(data[30:34], "little") in (1, 2) and abs(width * height) > MOST_RUN_PIXELS:
        raise PhotoError(
            f"{width}x{abs(height)} is too large: at most {MOST_RUN_PIXELS:,} pixels of a BMP of runs"
        )


def _chunks(data: bytes, place: int, *, order: str, tail: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk of a PNG or a RIFF file, up to one that is cut off.

    `tail` is how many bytes follow the payload.
    """
    for count in range(MOST_CHUNKS + 1):
        if place + 8 > len(data):
            return
        if count == MOST_CHUNKS:
            raise PhotoError(f"it has more than {MOST_CHUNKS:,} chunks")
        if order == ">":
            length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        else:
            kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + length + tail
        yield kind, place, min(end, len(data))
        place = end if order == ">" else end + (length & 1)


def _raw_profile(payload: bytes) -> bytes:
    """Return the EXIF data that ImageMagick writes as compressed hexadecimal digits; empty if damaged."""
    text = _inflated(payload.split(b"\0", 1)[1][1:])
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


def _international_text(payload: bytes) -> bytes:
    """Return the text of an iTXt chunk; empty if it is damaged."""
    parts = payload.split(b"\0", 1)[1]
    text = parts[2:].split(b"\0", 2)[-1]
    return _inflated(text) if parts[:1] == b"\x01" else text[:MOST_METADATA]


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MOST_METADATA)
    except zlib.error:
        return b""
