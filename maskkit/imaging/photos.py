"""The photos of a manifest at the size a model takes, decoded each time or once for all."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.digests import content_digests, digest_of
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.records import KEY_BYTES, Cache, Keys, Records, records
from maskkit.errors import MaskkitError
from maskkit.imaging.decode import load
from maskkit.imaging.roots import photo_files
from maskkit.progress import Track, untracked

Pixels = NDArray[np.uint8]  # (photos, height, width, 3)
PIECE = 16  # photos a thread decodes before it takes the next


@dataclass(frozen=True)
class Photos:
    """Photos, and how they are prepared.

    Args:
        files: One per row.
        preprocess: Of the model.
        boxes: Part of the photo to be seen, (rows, 4), NaN for all of it; None if no row has a box.
        cached: Their pixels, if they were decoded before; else each is decoded whenever it is wanted.
    """

    files: Sequence[Path]
    preprocess: Preprocess
    boxes: NDArray[np.float32] | None = None
    cached: Records | None = None

    def __len__(self) -> int:
        return len(self.files)

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        """Return these photos, uint8 (rows, height, width, 3).

        Raises:
            MaskkitError: A photo cannot be decoded.
        """
        if self.cached is not None:
            return self.cached.take(rows)  # type: ignore[return-value]
        pixels = np.empty((len(rows), self.preprocess.height, self.preprocess.width, 3), np.uint8)
        for index, row in enumerate(rows):
            pixels[index] = load(self.files[row], self.preprocess, box=self.box(row))
        return pixels

    def box(self, row: int) -> NDArray[np.float32] | None:
        """Return the part of a photo that is to be seen, or None for all of it."""
        box: NDArray[np.float32] | None = None if self.boxes is None else self.boxes[row]
        return None if box is None or np.isnan(box[0]) else box


def open_photos(
    manifest: Manifest,
    preprocess: Preprocess,
    *,
    root: str | None = None,
    cache: Cache | None = None,
    track: Track = untracked,
) -> Photos:
    """Return the photos of a manifest, from the cache if there is one, decoding there what it lacks.

    Raises:
        MaskkitError: Photos are not under the root or cannot be decoded, or the model saw photos cut
            to a box and the manifest has none.
    """
    if preprocess.crop:
        manifest.need("box")
    files = photo_files(manifest, root=root)
    photos = Photos(files, preprocess, _boxes(manifest) if preprocess.crop else None)
    if cache is None:
        return photos
    return Photos(files, preprocess, photos.boxes, _cached(photos, cache, track))


def _boxes(manifest: Manifest) -> NDArray[np.float32]:
    column = manifest.table["box"]
    edges = [pc.fill_null(pc.list_element(column, edge), np.nan).to_numpy() for edge in range(4)]
    return np.stack(edges, axis=1)  # (rows, 4)


def _cached(photos: Photos, cache: Cache, track: Track) -> Records | None:
    try:
        digests = content_digests(photos.files, cache.folder, track=track)
    except OSError:
        return None  # decoding says which photo it is, and why
    maker = _Maker(photos, digests)
    return records(
        cache,
        _store_name(photos.preprocess),
        maker.keys(),
        maker,
        shape=(photos.preprocess.height, photos.preprocess.width, 3),
        dtype=np.uint8,
        track=track,
        what="decoding photos",
    )


def _store_name(preprocess: Preprocess) -> str:
    """Name the store by all that pixels depend on beside the file and its box."""
    facts = {name: value for name, value in asdict(preprocess).items() if name not in ("mean", "std", "crop")}
    digest = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:12]
    return f"pixels-{preprocess.height}x{preprocess.width}-{digest}"


class _Maker:
    """Decodes photos for the cache, on all processors."""

    def __init__(self, photos: Photos, digests: NDArray[np.uint8]) -> None:
        self.photos, self.digests = photos, digests

    def keys(self) -> Keys:
        """Return a key per photo, (rows, 16): of its content, and of its box."""
        if self.photos.boxes is None:
            return self.digests[:, :KEY_BYTES]
        both = zip(self.digests, self.photos.boxes, strict=True)
        mixed = [
            hashlib.sha256(digest.tobytes() + box.tobytes()).digest()[:KEY_BYTES] for digest, box in both
        ]
        return np.frombuffer(b"".join(mixed), np.uint8).reshape(-1, KEY_BYTES)

    def __call__(self, rows: NDArray[np.int64]) -> Pixels:
        """Decode these photos, (rows, height, width, 3)."""
        pixels = np.empty(
            (len(rows), self.photos.preprocess.height, self.photos.preprocess.width, 3), np.uint8
        )
        pieces = [slice(start, start + PIECE) for start in range(0, len(rows), PIECE)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
            list(pool.map(lambda piece: self._decode(rows[piece], pixels[piece]), pieces))
        return pixels

    def _decode(self, rows: NDArray[np.int64], out: Pixels) -> None:
        for row, pixels in zip(rows, out, strict=True):
            file = self.photos.files[row]
            try:
                data = file.read_bytes()
            except OSError:
                data = b""  # what is wrong with it is said below
            if data and digest_of(data) != self.digests[row].tobytes():
                raise MaskkitError(
                    f"{file} was changed while it was read",
                    why="its pixels would be kept under the digest of what it was before",
                    fix="run the command again",
                )
            source = io.BytesIO(data) if data else file
            pixels[:] = load(source, self.photos.preprocess, box=self.photos.box(row), name=str(file))
