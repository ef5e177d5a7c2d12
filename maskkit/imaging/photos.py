"""The photos of a manifest at the size a model takes, decoded each time or once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.digests import content_digests
from maskkit.cache.records import Cache, Keys, Records
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.cropping import boxes_to_cut
from maskkit.imaging.decode import load, undecodable
from maskkit.imaging.pixel_store import keys_of, stored_pixels
from maskkit.imaging.roots import photo_files
from maskkit.imaging.transforms import to_input

Pixels = NDArray[np.uint8]  # (photos, height, width, 3)
NAMED = 20  # how many bad photos an error names


@dataclass(frozen=True)
class Photos:
    """Photos, and how they are prepared.

    Args:
        files: One per row.
        preprocess: Of the model.
        boxes: Of the faces that they are cut to, (rows, 4); None if the model sees whole photos.
        cache: Where what is computed of them is kept, if it is.
        cached: Their pixels, if they were decoded before; else each is decoded whenever it is wanted.
        faults: Where it is noted what is wrong with a row that cannot be decoded, which then is black.
            None if that is an error.
    """

    files: Sequence[Path]
    preprocess: Preprocess
    boxes: NDArray[np.float32] | None = None
    cache: Cache | None = None
    cached: Records | None = None
    faults: dict[int, str] | None = None

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
            MaskkitError: A photo cannot be decoded, unless such `faults` are noted.
        """
        if self.cached is not None and not self.faults:
            return self.cached.take(rows)  # type: ignore[return-value]
        pixels = np.zeros((len(rows), *self.size, 3), np.uint8)
        if self.cached is not None:
            there = self.cached.place[rows] >= 0
            pixels[there] = self.cached.take(rows[there])
            return pixels
        for index, row in enumerate(rows.tolist()):
            try:
                pixels[index] = load(self.files[row], self.preprocess, box=self.box(row))
            except MaskkitError as error:
                if self.faults is None:
                    raise
                self.faults[row] = error.why
        return pixels

    def prepare(self, batch: Tensor, device: torch.device) -> Tensor:
        """Return a batch of pixels as a model takes them, float32 (N, 3, height, width), on the device."""
        return to_input(batch, self.preprocess, device)

    def keys(self) -> Keys:
        """Return what tells each photo from every other: a digest of its content and cut, (rows, 16).

        Raises:
            OSError: A file cannot be read.
        """
        return keys_of(
            content_digests(self.files, None if self.cache is None else self.cache.folder),
            self.preprocess,
            self.boxes,
        )

    def box(self, row: int) -> NDArray[np.float32] | None:
        """Return the face box that a photo is cut to, (4,); None if the model sees all of it."""
        return None if self.boxes is None else self.boxes[row]


def open_photos(
    manifest: Manifest,
    preprocess: Preprocess,
    *,
    faults: dict[int, str] | None = None,
) -> Photos:
    """Return the photos of a manifest, from the cache if there is one, decoding there what it lacks.

    Args:
        manifest: Names them.
        preprocess: Of the model.
        faults: Where to note, by row, what is wrong with photos that cannot be decoded, now or when
            they are wanted. None to raise, which with a cache names all of them.

    Raises:
        MaskkitError: Photos are not under the root or cannot be decoded, or the model saw photos cut
            to a box and the manifest has none.
    """
    boxes = None if preprocess.crop is None else boxes_to_cut(manifest, preprocess.crop)
    files = photo_files(manifest, tolerant=faults is not None)
    photos = Photos(files, preprocess, boxes, manifest.photos.cache, faults=faults)
    if photos.cache is None:
        return photos
    found = {} if faults is None else faults
    cached = stored_pixels(files, preprocess, boxes, cache=photos.cache, faults=found)
    if found and faults is None:
        raise _unreadable(files, found)
    return replace(photos, cached=cached)


def _unreadable(files: Sequence[Path], faults: Mapping[int, str]) -> MaskkitError:
    """Return the error that names what is wrong with each of some photos."""
    rows = sorted(faults)
    if len(rows) == 1:
        return undecodable(str(files[rows[0]]), faults[rows[0]])
    return MaskkitError(
        f"cannot read {len(rows)} of {len(files)} images",
        why=examples((f"{files[row]} ({faults[row]})" for row in rows), most=NAMED),
        fix="repair or remove them; `maskkit label --skip-bad` leaves such files out",
    )
