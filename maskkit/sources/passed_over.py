"""Photos that a listing passes over because of their suffix, and what would take them."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from maskkit.errors import examples
from maskkit.imaging.containers import format_of
from maskkit.imaging.photo_file import PhotoError, photo_start
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.storage.address import PathOrAddress

log = logging.getLogger(__name__)

# Suffixes of photos in formats that are not read, and what the formats are called.
UNREAD: Final = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf"), "JPEG 2000"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"), "raw of a camera"),
    ".jxl": "JPEG XL",
    ".psd": "Photoshop",
    ".tga": "Targa",
    ".ppm": "PPM",
    ".pgm": "PGM",
}
LOOKED_AT: Final = 5  # files of a suffix; if none of them is a photo, no other is looked at
START: Final = 32  # bytes that tell a format
NAMED: Final = 10  # suffixes


@dataclass
class PassedOver:
    """Counts the photos that a listing passes over."""

    _counts: Counter[str] = field(default_factory=Counter)
    _looks: Counter[str] = field(default_factory=Counter)
    _formats: dict[str, str] = field(default_factory=dict)  # by suffix, what photos of it are

    def note(self, file: PathOrAddress, *, times: int = 1) -> None:
        """Count a file that has none of PHOTO_SUFFIXES, or so many like it, if it is a photo."""
        suffix = file.suffix.lower()
        found = UNREAD.get(suffix)
        if found is None and (suffix in self._formats or self._looks[suffix] < LOOKED_AT):
            self._looks[suffix] += 1
            found = _format_inside(file)
        if found is not None:
            self._formats[suffix] = found
            self._counts[suffix] += times

    def warn(self, place: PathOrAddress) -> None:
        """Say once how many photos were passed over under a place, by suffix, and what would take them."""
        if not self._counts:
            return
        counts = self._counts.most_common()
        named = (f"{count} {_shown(suffix)} ({self._advice(suffix)})" for suffix, count in counts)
        log.warning(
            "passed over %d photos under %s because of their suffix: %s; photos are files that end in %s",
            self._counts.total(), place, examples(named, most=NAMED), ", ".join(PHOTO_SUFFIXES),
        )  # fmt: skip

    def _advice(self, suffix: str) -> str:
        found = self._formats[suffix]
        if suffix in UNREAD:
            return f"{found}: convert them to JPEG or PNG"
        return f"{found}: rename them to .{found.lower()}"


def _format_inside(file: PathOrAddress) -> str | None:
    """Return the format that a file's first bytes tell, None if it holds no photo that can be read."""
    try:
        return format_of(photo_start(file, START))
    except (OSError, PhotoError):
        return None


def _shown(suffix: str) -> str:
    if not suffix:
        return "without a suffix"
    return suffix if suffix.isprintable() else ascii(suffix)
