"""Photos as phones, scanners, scrapers and hostile people leave them, made by code."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ORIENTATION = 0x0112
SHORT, ASCII, BYTE, UNDEFINED, LONG, RATIONAL, SIGNED_RATIONAL = 3, 2, 1, 7, 4, 5, 10

# What a viewer must do to show the stored pixels upright, per orientation.
TURNED = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels, 1),
}


def exif(*tags: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """Return EXIF data of (tag, type, count, value): four bytes of value or more, which then lie behind."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    entries, behind, place = b"", b"", 8 + 2 + 12 * len(tags) + 4
    for tag, kind, count, value in tags:
        entries += struct.pack(order + "HHI", tag, kind, count)
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", place + len(behind))
            behind += value
    return head + struct.pack(order + "H", len(tags)) + entries + bytes(4) + behind


def oriented(value: int, order: str = "<") -> tuple[int, int, int, bytes]:
    """Return the tag of an orientation as it should be."""
    return ORIENTATION, SHORT, 1, struct.pack(order + "H", value)


# Orientations that are none: all leave the photo as it is.
NONSENSE = {
    "text": (ORIENTATION, ASCII, 2, b"6\0"),
    "words": (ORIENTATION, ASCII, 10, b"Rotate 90\0"),
    "byte": (ORIENTATION, BYTE, 1, b"\6"),
    "undefined": (ORIENTATION, UNDEFINED, 1, b"\6"),
    "nine": oriented(9),
    "nought": oriented(0),
    "large": (ORIENTATION, LONG, 1, struct.pack("<I", 2**32 - 1)),
    "several": (ORIENTATION, SHORT, 2, struct.pack("<HH", 6, 6)),
    "fraction": (ORIENTATION, RATIONAL, 1, struct.pack("<II", 6, 1)),
}
# Other tags that cannot be read as what they are, or not be written again.
ODD_TAGS = {
    "resolution as text": (0x011A, ASCII, 4, b"72d\0"),
    "negative resolution": (0x011A, SIGNED_RATIONAL, 1, struct.pack("<ii", -72, 1)),
    "resolution by nought": (0x011A, RATIONAL, 1, struct.pack("<II", 72, 0)),
    "bits as text": (0x0102, ASCII, 4, b"abc\0"),
    "width as fraction": (0x0100, RATIONAL, 1, struct.pack("<II", 1, 3)),
    "not a number": (0x011A, 12, 1, struct.pack("<d", float("nan"))),
    "text without end": (0x010E, ASCII, 2**31, struct.pack("<I", 2**31)),
    "unknown type": (0x0131, 99, 1, b"\1"),
    "directory nowhere": (0x8769, LONG, 1, struct.pack("<I", 2**32 - 2)),
    "directory of itself": (0x8769, LONG, 1, struct.pack("<I", 8)),
}
DAMAGED = {
    "no directory": b"II*\0\xff\xff\xff\xff",
    "no header": b"garbage",
    "cut off": exif(oriented(6))[:15],
    "too many entries": b"II*\0\x08\0\0\0\xff\xff",
    "empty": b"",
}


QUALITY: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True},
    "JPEG": {"quality": 95},
    "AVIF": {"quality": 100},
}


def encoded(image: Image.Image, kind: str, data: bytes = b"") -> bytes:
    """Return a photo of a format with these EXIF data, put in as they are."""
    sink = io.BytesIO()
    image.save(sink, kind, **QUALITY.get(kind, {}))
    return with_exif(sink.getvalue(), kind, data) if data else sink.getvalue()


def with_exif(photo: bytes, kind: str, data: bytes) -> bytes:
    """Put EXIF data into a photo as they are."""
    if kind == "JPEG":
        segment = b"Exif\0\0" + data
        return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + photo[2:]
    if kind == "PNG":
        return photo[:33] + png_chunk(b"eXIf", data) + photo[33:]
    if kind == "WEBP":
        return _webp_with_exif(photo, data)
    return photo


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(pixels: NDArray[np.uint8], *tags: tuple[int, int, int, bytes]) -> bytes:
    """Return an uncompressed RGB TIFF with more tags."""
    height, width = pixels.shape[:2]
    raw = pixels.tobytes()
    numbers = {256: width, 257: height, 259: 1, 262: 2, 277: 3, 278: height, 279: len(raw), 273: 0}
    own = [(tag, LONG, 1, struct.pack("<I", value)) for tag, value in numbers.items()]
    own.append((258, SHORT, 3, struct.pack("<HHH", 8, 8, 8)))
    start = len(exif(*sorted([*own, *tags])))
    own = [(tag, kind, n, struct.pack("<I", start) if tag == 273 else value) for tag, kind, n, value in own]
    return exif(*sorted([*own, *tags])) + raw


def scan_starts(photo: bytes) -> list[int]:
    """Return where each scan of a JPEG that has no thumbnail starts."""
    return [place for place in range(len(photo)) if photo[place : place + 2] == b"\xff\xda"]


def segments(photo: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of the segments of a JPEG before its first scan."""
    place = 2
    while photo[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(photo[place + 2 : place + 4])
        yield photo[place + 1], place, end
        place = end


def _webp_with_exif(photo: bytes, data: bytes) -> bytes:
    with Image.open(io.BytesIO(photo)) as image:
        width, height, mode = image.width - 1, image.height - 1, image.mode
    flags = 0x08 | (0x10 if mode == "RGBA" else 0)
    canvas = width.to_bytes(3, "little") + height.to_bytes(3, "little")
    head = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + canvas
    chunk = b"EXIF" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)
    body = b"WEBP" + head + photo[12:] + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body
