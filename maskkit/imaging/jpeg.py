"""JPEG files by their markers: what their pixels need, how costly they are, and whether all of them is there.

The format is ITU-T T.81; annex B has the markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from maskkit.imaging.photo_file import MOST_PIXELS, PhotoError, limits

END: Final = b"\xff\xd9"
SCAN: Final = 0xDA
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # of which those from C2 on in steps of 4
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
WITHOUT_LENGTH: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9), 0xFF})
EXIF_OR_XMP: Final = 0xE1
# What says nothing of pixels: all of APP1 to APP15 but Adobe's, which names the colours, and comments.
PASSED_OVER: Final = frozenset({*range(0xE1, 0xF0), 0xFE}) - {0xEE}
AFTER_DATA: Final = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")  # a marker, but for restarts and escaped bytes

MOST_SEGMENTS: Final = 10_000  # each takes microseconds to pass over, and four bytes to write
MOST_METADATA: Final = 1_000_000  # bytes
MOST_JUNK: Final = 1_000_000  # bytes between segments, which Pillow passes over one at a time
# Each scan passes over all pixels. Encoders write 10 to 14 scans of a photo; so many of the largest one take
# 3 s on one core.
SCANS_OF_THE_LARGEST: Final = 10

XMP_NAME: Final = b"http://ns.adobe.com/xap/1.0/\0"
SURPLUS: Final = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]+)")
AMONG_SCANS: Final = frozenset({0xC4, SCAN})  # what stands between two scans
INCOMPLETE: Final = "incomplete: its data end before its pixels do"


class Scan(NamedTuple):
    """One pass over a photo, as its header describes it."""

    components: frozenset[int]
    first: int  # of the 64 frequencies of a block
    last: int
    low_bit: int  # 0 if the values are whole with it


@dataclass
class JpegFacts:
    """What the markers of a JPEG tell before anything is decoded."""

    height: int = 0
    width: int = 0
    components: tuple[int, ...] = ()  # their names
    samples: float = 1.0  # of all components per pixel
    is_progressive: bool = False
    scans: list[Scan] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    dropped: list[tuple[int, int]] = field(default_factory=list)  # segments that pixels do not need

    @property
    def keeps_coefficients(self) -> bool:
        """Whether a decoder has to keep all of them until the last scan."""
        return self.is_progressive or len(self.scans) > 1

    @property
    def lacks_scans(self) -> bool:
        """Whether a part of the values, or the last bits of them, is in no scan."""
        for component in self.components:
            own = [scan for scan in self.scans if component in scan.components and not scan.low_bit]
            if not {0, 63} <= {place for scan in own for place in (scan.first, scan.last)}:
                return True
        return False


def jpeg_facts(data: bytes) -> JpegFacts:
    """Read the markers of a JPEG.

    Raises:
        PhotoError: There are more segments than any photo has, or more scans than time is given to.
    """
    facts = JpegFacts()
    for marker, start, end in _segments(data):
        if marker in PASSED_OVER:
            facts.dropped.append((start, end))
        if marker == SCAN:
            _note_scan(facts, data[start + 4 : end])
        elif marker in FRAMES:
            _note_frame(facts, marker, data[start + 4 : end])
        elif marker == EXIF_OR_XMP and len(facts.exif) < MOST_METADATA:
            payload = data[start + 4 : end]
            if payload.startswith(b"Exif\0\0"):
                facts.exif += payload[6:]  # which goes on in another segment if it is long
            elif payload.startswith(XMP_NAME):
                facts.xmp = payload[len(XMP_NAME) :]
    return facts


def without_metadata(data: bytes, facts: JpegFacts) -> bytes:
    """Return the JPEG without segments that say nothing of its pixels."""
    kept, place = [], 0
    for start, end in facts.dropped:
        kept.append(data[place:start])
        place = end
    return b"".join([*kept, data[place:]]) if kept else data


def whole_jpeg(data: bytes, facts: JpegFacts, *, colours: str, scale: int) -> NDArray[np.uint8] | None:
    """Decode a JPEG at 1/1, 1/2, 1/4 or 1/8 of its size; None if libjpeg has anything to complain of.

    The pixels are those of Pillow and OpenCV, (height, width, 3), or (height, width, 1) of GRAY. Neither of
    these tells of complaints: Pillow hides them, OpenCV prints them to standard error.
    """
    if facts.keeps_coefficients and facts.lacks_scans:
        return None
    try:
        return _strict(data, facts, colours=colours, scale=scale)
    except ValueError:  # of anything, be it that it knows no such JPEG
        return None


def is_whole(data: bytes, facts: JpegFacts) -> bool:
    """Whether all data of a JPEG are there, though it may have no end mark."""
    return whole_jpeg(data + END, facts, colours=_cheapest(facts), scale=8) is not None


def complaint(data: bytes, facts: JpegFacts) -> str | None:
    """Say what libjpeg complains of in a JPEG that can be decoded, or None."""
    try:
        _strict(data + END, facts, colours=_cheapest(facts), scale=8)
    except ValueError as error:
        text = str(error).lower()
        if "premature end" in text:
            return INCOMPLETE
        surplus = SURPLUS.search(text)
        if surplus is not None and _is_harmless(data, int(surplus[1]), int(surplus[2], 16)):
            return None
        if "corrupt jpeg data" in text:
            return f"damaged: {text.removeprefix('corrupt jpeg data: ')}"
        return None  # what is odd about a header, or a kind of JPEG that it does not know
    return INCOMPLETE if facts.keeps_coefficients and facts.lacks_scans else None


def _is_harmless(data: bytes, surplus: int, marker: int) -> bool:
    """Whether so many bytes before a marker, which pixels do not need, are no sign of damage.

    They are none in the header, nor as zeros before the end mark, which some cameras write.
    """
    if marker != END[1]:
        return marker not in AMONG_SCANS
    match = AFTER_DATA.search(data, data.rfind(b"\xff\xda") + 2)
    end = len(data) if match is None else match.start()
    return not data[max(0, end - surplus) : end].strip(b"\0\xff")


def _cheapest(facts: JpegFacts) -> str:
    return "CMYK" if len(facts.components) == 4 else "GRAY"


def _strict(data: bytes, facts: JpegFacts, *, colours: str, scale: int) -> NDArray[np.uint8]:
    height, width = -(-facts.height // scale), -(-facts.width // scale)
    found: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data, colours, min_height=height, min_width=width, min_factor=scale, strict=True
    )
    if found.shape[:2] != (height, width):
        raise ValueError("its markers tell another size")
    return found


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each whole segment, up to the end mark.

    The data of the only scan are not looked at, which would cost as much as the rest.
    """
    place, junk, size = 2, 0, len(data)
    for _ in range(MOST_SEGMENTS):
        if data[place : place + 1] != b"\xff":
            place, before = data.find(b"\xff", place), place
            junk += place - before
        if junk > MOST_JUNK or not 0 <= place <= size - 4:
            break
        marker = data[place + 1]
        if marker == END[1]:
            return
        if marker in WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        end = place + 2 + (data[place + 2] << 8 | data[place + 3])
        if end < place + 4 or end > size:
            return
        yield marker, place, end
        place = end
        if marker == SCAN:
            place = _after_scan(data, end)
            if place < 0:
                return
    if 0 <= place <= size - 4:
        raise PhotoError(f"it has more than {MOST_SEGMENTS:,} segments, or bytes between them")


def _after_scan(data: bytes, start: int) -> int:
    """Return where the data of a scan end, or -1 if no other scan can follow."""
    if data.rfind(b"\xff\xda") < start:  # `find` takes three times as long, the pattern twenty times
        return -1
    match = AFTER_DATA.search(data, start)
    return -1 if match is None else match.end() - 2


def _note_frame(facts: JpegFacts, marker: int, payload: bytes) -> None:
    if len(payload) < 6:
        return
    facts.height, facts.width = payload[1] << 8 | payload[2], payload[3] << 8 | payload[4]
    facts.components = tuple(payload[6 : len(payload) - 2 : 3])
    sizes = [(size >> 4 or 1) * (size & 15 or 1) for size in payload[7 : len(payload) - 1 : 3]]
    facts.samples = sum(sizes) / max(sizes, default=1)
    facts.is_progressive = marker in PROGRESSIVE


def _note_scan(facts: JpegFacts, payload: bytes) -> None:
    """Note what a scan holds.

    Raises:
        PhotoError: All scans so far take longer than time is given to.
    """
    names = 2 * payload[0] if payload else 0
    if len(payload) < names + 4:
        return
    first, last, bits = payload[names + 1 : names + 4]
    facts.scans.append(Scan(frozenset(payload[1 : names + 1 : 2]), first, last, bits & 15))
    pixels, most = facts.height * facts.width, SCANS_OF_THE_LARGEST * limits().pixels
    if len(facts.scans) * pixels > most:
        raise PhotoError(
            f"{facts.width}x{facts.height} in more than {most // pixels} scans takes too long: at most "
            f"{SCANS_OF_THE_LARGEST} scans of the largest photo are read ({MOST_PIXELS[0]} raises it)"
        )
