"""The photos of a manifest at the size a model takes, decoded each time or once for all."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.digests import Digests, content_digests, digest_of
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.records import KEY_BYTES, Cache, Keys, Records, records
from maskkit.errors import MaskkitError
from maskkit.imaging.cropping import boxes_to_cut
from maskkit.imaging.decode import load
from maskkit.imaging.roots import photo_files
from maskkit.imaging.transforms import to_input
from maskkit.progress import Track, untracked

Pixels = NDArray[np.uint8]  # (photos, height, width, 3)
PIECE = 16  # photos a thread decodes before it takes the next


@dataclass(frozen=True)
class Photos:
    """Photos, and how they are prepared.

    Args:
        files: One per row.
        preprocess: Of the model.
        boxes: Of the faces that they are cut to, (rows, 4); None if the model sees whole photos.
        cached: Their pixels, if they were decoded before; else each is decoded whenever it is wanted.
    """

    files: Sequence[Path]
    preprocess: Preprocess
    boxes: NDArray[np.float32] | None = None
    cached: Records | None = None

    @classmethod
    def of_pixels(cls, pixels: Pixels, preprocess: Preprocess, *, count: int | None = None) -> Photos:
        """Return `count` photos without files, which look like the given ones in turn."""
        place = np.resize(np.arange(len(pixels)), len(pixels) if count is None else count)
        return cls([Path()] * len(place), preprocess, cached=Records(pixels, place))

    def __len__(self) -> int:
        return len(self.files)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.preprocess.height, self.preprocess.width

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        """Return these photos, uint8 (rows, height, width, 3).

        Raises:
            MaskkitError: A photo cannot be decoded.
        """
        if self.cached is not None:
            return self.cached.take(rows)  # type: ignore[return-value]
        pixels = np.empty((len(rows), *self.size, 3), np.uint8)
        for index, row in enumerate(rows):
            pixels[index] = load(self.files[row], self.preprocess, box=self.box(row))
        return pixels

    def prepare(self, batch: Tensor, device: torch.device) -> Tensor:
        """Return a batch of pixels as a model takes them, float32 (N, 3, height, width), on the device."""
        return to_input(batch, self.preprocess, device)

    def keys(self, memory: Path | None = None) -> Keys:
        """Return what tells each photo from every other: a digest of its content and cut, (rows, 16).

        Args:
            memory: The folder in which digests of files are remembered, if they are.

        Raises:
            OSError: A file cannot be read.
        """
        return _keys(content_digests(self.files, memory), self)

    def box(self, row: int) -> NDArray[np.float32] | None:
        """Return the face box that a photo is cut to, (4,); None if the model sees all of it."""
        return None if self.boxes is None else self.boxes[row]


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
    boxes = None if preprocess.crop is None else boxes_to_cut(manifest, preprocess.crop)
    files = photo_files(manifest, root=root)
    photos = Photos(files, preprocess, boxes)
    if cache is None:
        return photos
    return Photos(files, preprocess, boxes, _cached(photos, cache, track))


def _cached(photos: Photos, cache: Cache, track: Track) -> Records | None:
    try:
        digests = content_digests(photos.files, cache.folder, track=track)
    except OSError:
        return None  # decoding says which photo it is, and why
    return records(
        cache,
        _store_name(photos.preprocess),
        _keys(digests, photos),
        partial(_decoded, photos, digests),
        shape=(*photos.size, 3),
        dtype=np.uint8,
        track=track,
        what="decoding photos",
    )


def _keys(digests: Digests, photos: Photos) -> Keys:
    crop = photos.preprocess.crop
    if crop is None or photos.boxes is None:
        return digests[:, :KEY_BYTES]
    # The part that is shown follows from the box, the margin, the photo and, in the store's name, the size.
    margin = np.float64(crop.margin).tobytes()
    both = zip(digests, photos.boxes, strict=True)
    mixed = [digest_of(digest.tobytes() + box.tobytes() + margin)[:KEY_BYTES] for digest, box in both]
    return np.frombuffer(b"".join(mixed), np.uint8).reshape(-1, KEY_BYTES)


def _store_name(preprocess: Preprocess) -> str:
    """Name the store by all that pixels depend on beside the file and how it is cut."""
    facts = {name: value for name, value in asdict(preprocess).items() if name not in ("mean", "std", "crop")}
    digest = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:12]
    return f"pixels-{preprocess.height}x{preprocess.width}-{digest}"


def _decoded(photos: Photos, digests: Digests, rows: NDArray[np.int64]) -> Pixels:
    """Decode these photos on all processors, (rows, height, width, 3)."""
    pixels = np.empty((len(rows), *photos.size, 3), np.uint8)
    pieces = [slice(start, start + PIECE) for start in range(0, len(rows), PIECE)]

    def decode(piece: slice) -> None:
        for row, out in zip(rows[piece], pixels[piece], strict=True):
            out[:] = _load_unchanged(photos, row, digests[row].tobytes())

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
        list(pool.map(decode, pieces))
    return pixels


def _load_unchanged(photos: Photos, row: int, digest: bytes) -> Pixels:
    """Decode a photo, if it is still what its digest says."""
    file = photos.files[row]
    try:
        data = file.read_bytes()
    except OSError:
        return load(file, photos.preprocess)  # which says what is wrong with it
    if digest_of(data) != digest:
        raise MaskkitError(
            f"{file} was changed while it was read",
            why="its pixels would be kept under the digest of what it was before",
            fix="run the command again",
        )
    return load(io.BytesIO(data), photos.preprocess, box=photos.box(row), name=str(file))
