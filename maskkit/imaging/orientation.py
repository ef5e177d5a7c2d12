"""Which way up a photo is, from metadata that may be odd or damaged; nothing of it is ever written again."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ORIENTATION: Final = 0x0112  # the tag of EXIF and TIFF
UPRIGHT: Final = 1
ON_ITS_SIDE: Final = 5  # from here on, height and width change places
MOST_ORIENTATIONS: Final = 8

MOST_ENTRIES: Final = 4096
# The types of TIFF 6.0, section 2, and BigTIFF that are whole numbers of more than a byte, as `struct` has
# them. A value in another type, such as text, says nothing: browsers and libexif pass over it too.
WHOLE: Final = {3: "H", 4: "I", 8: "h", 9: "i", 16: "Q", 17: "q"}
XMP_ORIENTATION: Final = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")


@dataclass(frozen=True)
class TagEntry:
    """One tag of a TIFF directory, and where its bytes are."""

    tag: int
    start: int  # of the entry in the data
    size: int  # of the entry in bytes
    value: int | None  # of a single whole number, else None
    count: int  # how many values there are


@dataclass(frozen=True)
class TagDirectory:
    """The first directory of tags in TIFF data, as much of it as is there."""

    start: int  # of the number of entries in the data
    entries: tuple[TagEntry, ...]
    order: str  # of bytes, as `struct` has it
    is_big: bool  # BigTIFF, with numbers of eight bytes

    @property
    def orientation(self) -> int | None:
        """What the tag says, 1 to 8; 1 if that is no such number, None if there is no tag."""
        for entry in self.entries:
            if entry.tag == ORIENTATION:
                return _known(entry.value)
        return None


def orientation_of(exif: bytes, xmp: bytes = b"") -> int:
    """Return the orientation of EXIF data, or of XMP if they have none: 1 to 8, 1 for none or nonsense."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    found = tag_directory(exif)
    told = None if found is None else found.orientation
    if told is not None:
        return told
    match = XMP_ORIENTATION.search(xmp)
    return int(match[1]) if match else UPRIGHT


def tag_directory(data: bytes) -> TagDirectory | None:
    """Return the first directory of TIFF or EXIF data; None if there is none. It never raises."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8 or data[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return None
    is_big = b"+" in data[2:4]
    number, at = ("Q", 8) if is_big else ("I", 4)
    if len(data) < at + struct.calcsize(number):
        return None
    (start,) = struct.unpack_from(order + number, data, at)
    if not 0 < start <= len(data) - 8:
        return None
    return TagDirectory(start, tuple(_entries(data, start, order, is_big=is_big)), order, is_big)


def _entries(data: bytes, start: int, order: str, *, is_big: bool) -> Iterator[TagEntry]:
    head, number, size = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    (count,) = struct.unpack_from(order + head, data, start)
    place = start + struct.calcsize(head)
    for _ in range(min(count, MOST_ENTRIES)):
        if place + size > len(data):
            return
        tag, kind, length = struct.unpack_from(f"{order}HH{number}", data, place)
        at = place + 4 + struct.calcsize(number)
        value = None
        if length == 1 and kind in WHOLE and struct.calcsize(WHOLE[kind]) <= place + size - at:
            (value,) = struct.unpack_from(order + WHOLE[kind], data, at)
        yield TagEntry(tag, place, size, value, length)
        place += size


def _known(value: int | None) -> int:
    return value if value is not None and UPRIGHT <= value <= MOST_ORIENTATIONS else UPRIGHT
