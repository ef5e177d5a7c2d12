"""Decoded photos in the cache, found by a digest of their content and of how they are cut."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.cache.digests import DIGEST_BYTES, Digests, content_digests, digest_of
from maskkit.cache.records import KEY_BYTES, Cache, Keys, Records, records
from maskkit.errors import MaskkitError
from maskkit.imaging.decode import fault, load

Boxes = NDArray[np.float32]  # (photos, 4)
PIECE = 16  # photos a thread decodes before it takes the next


def stored_pixels(
    files: Sequence[Path],
    preprocess: Preprocess,
    boxes: Boxes | None,
    *,
    cache: Cache,
    faults: dict[int, str],
) -> Records | None:
    """Return the pixels of photos, decoding those that the cache lacks; None if they cannot be kept.

    Args:
        files: The photos.
        preprocess: How they are prepared.
        boxes: Of the faces that they are cut to, (photos, 4), if they are.
        cache: Where they are kept.
        faults: Is told by row what is wrong with photos that cannot be decoded; their place is -1.
    """
    there, digests = _digests(files, cache, faults)
    parts = None if boxes is None else boxes[there]
    keys = keys_of(digests, preprocess, parts)
    decoder = _Decoder([files[row] for row in there.tolist()], digests, preprocess, parts, {})
    found = records(
        cache,
        _store_name(preprocess),
        keys,
        decoder,
        shape=(preprocess.height, preprocess.width, 3),
        dtype=np.uint8,
        failed=decoder.faults,
        what="decoding photos",
    )
    if found is None:
        return None
    reasons = {keys[row].tobytes(): why for row, why in decoder.faults.items()}  # of all with this content
    for row in np.flatnonzero(found.place < 0):
        faults[int(there[row])] = reasons[keys[row].tobytes()]
    place = np.full(len(files), -1)
    place[there] = found.place
    return Records(found.data, place)


def keys_of(digests: Digests, preprocess: Preprocess, boxes: Boxes | None) -> Keys:
    """Return what tells each photo from every other: a digest of its content and cut, (photos, 16)."""
    crop = preprocess.crop
    if crop is None or boxes is None:
        return digests[:, :KEY_BYTES]
    # The part that is shown follows from the box, the margin, the photo and, in the store's name, the size.
    margin = np.float64(crop.margin).tobytes()
    both = zip(digests, boxes, strict=True)
    mixed = [digest_of(digest.tobytes() + box.tobytes() + margin)[:KEY_BYTES] for digest, box in both]
    return np.frombuffer(b"".join(mixed), np.uint8).reshape(-1, KEY_BYTES)


def _digests(
    files: Sequence[Path], cache: Cache, faults: dict[int, str]
) -> tuple[NDArray[np.int64], Digests]:
    """Return which files can be read, and their digests, (read, 32); `faults` is told of the others."""
    there = np.arange(len(files))
    try:
        return there, content_digests(files, cache.folder)
    except OSError:
        faults |= {row: why for row, file in enumerate(files) if (why := _unopened(file))}
    there = np.array([row for row in there.tolist() if row not in faults], np.int64)
    if not len(there):
        return there, np.empty((0, DIGEST_BYTES), np.uint8)
    return there, content_digests([files[row] for row in there.tolist()], cache.folder)


def _unopened(file: Path) -> str | None:
    """Say why a file cannot be read, if so."""
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return fault(error)
    return None


def _store_name(preprocess: Preprocess) -> str:
    """Name the store by all that pixels depend on beside the file and how it is cut."""
    facts = {name: value for name, value in asdict(preprocess).items() if name not in ("mean", "std", "crop")}
    digest = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:12]
    return f"pixels-{preprocess.height}x{preprocess.width}-{digest}"


@dataclass(frozen=True)
class _Decoder:
    """Decodes photos on all processors, and notes what is wrong with those that it cannot."""

    files: Sequence[Path]
    digests: Digests
    preprocess: Preprocess
    boxes: Boxes | None
    faults: dict[int, str]

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pixels of these photos, (rows, height, width, 3), black where there is a fault."""
        pixels = np.zeros((len(rows), self.preprocess.height, self.preprocess.width, 3), np.uint8)

        def decode(start: int) -> None:
            for index in range(start, min(start + PIECE, len(rows))):
                row = int(rows[index])
                try:
                    pixels[index] = self._load_unchanged(row)
                except MaskkitError as error:
                    self.faults[row] = error.why

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
            list(pool.map(decode, range(0, len(rows), PIECE)))
        return pixels

    def _load_unchanged(self, row: int) -> NDArray[np.uint8]:
        """Decode a photo, if it is still what its digest says."""
        file = self.files[row]
        try:
            data = file.read_bytes()
        except OSError:
            return load(file, self.preprocess)  # which says what is wrong with it
        if digest_of(data) != self.digests[row].tobytes():
            # Its pixels would be kept under the digest of what it was before.
            raise MaskkitError(
                f"cannot keep the pixels of {file}",
                why="it was changed while it was read",
                fix="run the command again",
            )
        box = None if self.boxes is None else self.boxes[row]
        return load(io.BytesIO(data), self.preprocess, box=box, name=str(file))
