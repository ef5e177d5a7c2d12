"""The photos of a manifest at the size a model takes, decoded each time or found in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.digests import Digests, content_digests, digest_of
from maskkit.cache.records import Cache, Records, RecordsInMemory
from maskkit.cache.store import KEY_BYTES, Keys
from maskkit.engines.threads import on_all_cores
from maskkit.imaging.cropping import boxes_to_cut
from maskkit.imaging.decode import load
from maskkit.imaging.photo_file import BadPhotoError, PhotoError, photo_bytes, read_photo, threads_for
from maskkit.imaging.roots import photo_files
from maskkit.imaging.tensors import to_input
from maskkit.storage.address import PathOrAddress

Pixels = NDArray[np.uint8]  # (photos, height, width, 3)
Boxes = NDArray[np.float32]  # (photos, 4)


class ChangedError(BadPhotoError):
    """A photo is not what it was when its content was looked at."""


@dataclass(frozen=True)
class Photos:
    """Photos, and how they are prepared."""

    files: Sequence[PathOrAddress]  # one per row
    preprocess: Preprocess  # that of the model
    boxes: Boxes | None = None  # of the faces that they are cut to; None if the model sees whole photos
    cache: Cache | None = None  # where what is computed of them is kept, if it is
    # Their pixels, if they were decoded before; else each is decoded whenever it is wanted.
    cached: Records | None = None
    # Of the files' contents, (rows, 32), if what is made of them may be kept; no other content is decoded.
    digests: Digests | None = None
    # What is wrong with rows that cannot be decoded, which then are black; None if that is an error.
    faults: dict[int, str] | None = None

    @classmethod
    def of_pixels(cls, pixels: Pixels, preprocess: Preprocess, *, count: int | None = None) -> Photos:
        """Return `count` photos without files, which look like the given ones in turn."""
        place = np.resize(np.arange(len(pixels)), len(pixels) if count is None else count)
        return cls([Path()] * len(place), preprocess, cached=RecordsInMemory(pixels, place))

    def __len__(self) -> int:
        return len(self.files)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.preprocess.height, self.preprocess.width

    def among(self, rows: NDArray[np.int64]) -> Photos:
        """Return the photos of these rows alone, each of which is decoded whenever it is wanted."""
        files = [self.files[row] for row in rows.tolist()]
        boxes = None if self.boxes is None else self.boxes[rows]
        return Photos(files, self.preprocess, boxes, faults=None if self.faults is None else {})

    def only(self, rows: NDArray[np.int64]) -> Photos:
        """Return the photos of these rows alone, of which none is decoded yet, with their cache."""
        files = [self.files[row] for row in rows.tolist()]
        boxes = None if self.boxes is None else self.boxes[rows]
        return Photos(files, self.preprocess, boxes, self.cache)

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        """Return these photos, uint8 (rows, height, width, 3).

        Raises:
            MaskkitError: A photo cannot be decoded, unless such `faults` are noted.
        """
        if self.cached is not None:
            try:
                return self._take_cached(self.cached, rows)
            except BadPhotoError:  # what was kept of a photo is gone, and now the photo is too
                if self.faults is None:
                    raise
        pixels = np.zeros((len(rows), *self.size, 3), np.uint8)

        def fill(index: int) -> None:
            row = int(rows[index])
            try:
                pixels[index] = self.load(row)
            except BadPhotoError as error:
                if self.faults is None:
                    raise
                self.faults[row] = error.why

        self._for_each(fill, range(len(rows)))
        return pixels

    def _for_each(self, work: Callable[[int], None], indices: Sequence[int]) -> None:
        """Work on the photos of a batch one after another, but read those of a store side by side."""
        if not self.files or isinstance(self.files[0], Path):
            for index in indices:
                work(index)
            return
        with on_all_cores(work, indices, threads=threads_for(self.files)) as done:
            for _ in done:
                pass

    def load(self, row: int) -> NDArray[np.uint8]:
        """Decode a photo, uint8 (height, width, 3).

        Raises:
            ChangedError: Its content is not what it was.
            BadPhotoError: It cannot be decoded.
        """
        file, preprocess = self.files[row], self.preprocess
        box = None if self.boxes is None else self.boxes[row]
        if self.digests is None:
            return load(file, preprocess, box=box)
        try:
            with photo_bytes(file) as data:
                if digest_of(data) == self.digests[row].tobytes():
                    return load(data, preprocess, box=box, name=str(file))
        except (OSError, PhotoError):
            return load(file, preprocess)  # which says what is wrong with it
        # What is made of it would be kept under the digest of what it was before.
        raise ChangedError(
            f"cannot read the photo {file}",
            why="it was changed while it was read",
            fix="run the command again",
        )

    def prepare(self, batch: Tensor, device: torch.device) -> Tensor:
        """Return a batch of pixels as a model takes them, float32 (N, 3, height, width), on the device."""
        return to_input(batch, self.preprocess, device)

    def keys(self) -> Keys:
        """Return what tells each photo from every other: a digest of its content and cut, (rows, 16).

        Raises:
            OSError: A file cannot be read.
            MaskkitError: It can be no photo.
        """
        digests = self.digests
        if digests is None:
            folder = None if self.cache is None else self.cache.folder
            digests = content_digests(self.files, folder, read=read_photo)
        crop = self.preprocess.crop
        if crop is None or self.boxes is None:
            return digests[:, :KEY_BYTES]
        # The part shown follows from the box, the margin, the photo and, in the store's name, the size.
        margin = np.float64(crop.margin).tobytes()
        both = zip(digests, self.boxes, strict=True)
        mixed = [digest_of(digest.tobytes() + box.tobytes() + margin)[:KEY_BYTES] for digest, box in both]
        return np.frombuffer(b"".join(mixed), np.uint8).reshape(-1, KEY_BYTES)

    def _take_cached(self, cached: Records, rows: NDArray[np.int64]) -> Pixels:
        there = cached.place[rows] >= 0
        if there.all():
            return cached.take(rows)
        pixels = np.zeros((len(rows), *self.size, 3), np.uint8)
        pixels[there] = cached.take(rows[there])
        return pixels


@dataclass(frozen=True)
class PhotosOfHost:
    """Photos of which those of one host are decoded once; the others are decoded whenever they are wanted."""

    every: Photos  # none of which is in memory or cache
    here: Photos
    place: NDArray[np.int64]  # among those that are here, (photos,); -1 for the others

    def __len__(self) -> int:
        return len(self.every)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.every.size

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        """Return these photos, uint8 (rows, height, width, 3); raise a MaskkitError as those do."""
        place = self.place[rows]
        is_here = place >= 0
        pixels = np.empty((len(rows), *self.size, 3), np.uint8)
        pixels[is_here] = self.here.take(place[is_here])
        pixels[~is_here] = self.every.take(rows[~is_here])
        return pixels

    def prepare(self, batch: Tensor, device: torch.device) -> Tensor:
        """Return a batch of pixels as a model takes them, float32 (N, 3, height, width), on the device."""
        return self.every.prepare(batch, device)


def find_photos(
    manifest: Manifest, preprocess: Preprocess, *, faults: dict[int, str] | None = None
) -> Photos:
    """Return the photos of a manifest, of which none is decoded before it is wanted.

    What is wrong with photos that cannot be is noted by row in `faults`; without it, it is raised.

    Raises:
        MaskkitError: Photos are not under the root, or the model saw photos cut to a box and the manifest
            has none.
    """
    boxes = None if preprocess.crop is None else boxes_to_cut(manifest, preprocess.crop)
    files = photo_files(manifest, tolerant=faults is not None)
    return Photos(files, preprocess, boxes, manifest.photos.cache, faults=faults)
