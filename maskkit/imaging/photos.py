"""The photos of a manifest at the size a model takes, decoded each time or once for all.

Once decoded they are kept in the cache, found by a digest of their content and of how they are cut.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.digests import DIGEST_BYTES, Digests, content_digests, digest_of
from maskkit.cache.records import KEY_BYTES, Cache, Keys, Records, Store
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.cropping import boxes_to_cut
from maskkit.imaging.decode import fault, load
from maskkit.imaging.photo_file import PhotoError, photo_bytes, photo_size, read_photo, undecodable
from maskkit.imaging.roots import photo_files
from maskkit.imaging.tensors import to_input

Pixels = NDArray[np.uint8]  # (photos, height, width, 3)
Boxes = NDArray[np.float32]  # (photos, 4)
NAMED = 20  # how many bad photos an error names
PIECE = 16  # photos a thread decodes before it takes the next


@dataclass(frozen=True)
class Photos:
    """Photos, and how they are prepared."""

    files: Sequence[Path]  # one per row
    preprocess: Preprocess  # that of the model
    boxes: Boxes | None = None  # of the faces that they are cut to; None if the model sees whole photos
    cache: Cache | None = None  # where what is computed of them is kept, if it is
    # Their pixels, if they were decoded before; else each is decoded whenever it is wanted.
    cached: Records | None = None
    # What is wrong with rows that cannot be decoded, which then are black; None if that is an error.
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
                pixels[index] = load(self.files[row], self.preprocess, box=self._box(row))
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
            MaskkitError: It can be no photo.
        """
        folder = None if self.cache is None else self.cache.folder
        return self._keys(content_digests(self.files, folder, read=read_photo))

    def decoded(self, cache: Cache, faults: dict[int, str]) -> Records | None:
        """Return the pixels in the cache, where those that it lacks are decoded; None if they cannot be kept.

        What is wrong with photos that cannot be decoded is noted by row in `faults`; their place is -1.
        """
        there, digests = self._digests(cache, faults)
        files = [self.files[row] for row in there.tolist()]
        known = replace(self, files=files, boxes=None if self.boxes is None else self.boxes[there])
        keys = known._keys(digests)
        decoder = _Decoder(known, digests, {})
        store = Store(_store_name(self.preprocess), (*self.size, 3), np.dtype(np.uint8))
        found = cache.records(store, keys, decoder, failed=decoder.faults, what="decoding photos")
        if found is None:
            return None
        # Of all photos with this content.
        reasons = {keys[row].tobytes(): why for row, why in decoder.faults.items()}
        for row in np.flatnonzero(found.place < 0):
            faults[int(there[row])] = reasons[keys[row].tobytes()]
        place = np.full(len(self), -1)
        place[there] = found.place
        return Records(found.data, place)

    def _box(self, row: int) -> NDArray[np.float32] | None:
        return None if self.boxes is None else self.boxes[row]

    def _keys(self, digests: Digests) -> Keys:
        crop = self.preprocess.crop
        if crop is None or self.boxes is None:
            return digests[:, :KEY_BYTES]
        # The part shown follows from the box, the margin, the photo and, in the store's name, the size.
        margin = np.float64(crop.margin).tobytes()
        both = zip(digests, self.boxes, strict=True)
        mixed = [digest_of(digest.tobytes() + box.tobytes() + margin)[:KEY_BYTES] for digest, box in both]
        return np.frombuffer(b"".join(mixed), np.uint8).reshape(-1, KEY_BYTES)

    def _digests(self, cache: Cache, faults: dict[int, str]) -> tuple[NDArray[np.int64], Digests]:
        """Return which files can be read, and their digests, (read, 32); `faults` notes the others."""
        there = np.arange(len(self))
        try:
            return there, content_digests(self.files, cache.folder, read=read_photo)
        except (OSError, MaskkitError):
            faults |= {row: why for row, file in enumerate(self.files) if (why := _unopened(file))}
        there = np.array([row for row in there.tolist() if row not in faults], np.int64)
        if not len(there):
            return there, np.empty((0, DIGEST_BYTES), np.uint8)
        files = [self.files[row] for row in there.tolist()]
        return there, content_digests(files, cache.folder, read=read_photo)


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


def open_photos(
    manifest: Manifest, preprocess: Preprocess, *, faults: dict[int, str] | None = None
) -> Photos:
    """Return the photos of a manifest, from the cache if there is one, decoding there what it lacks.

    Raises:
        MaskkitError: As `find_photos`, or photos cannot be decoded: with a cache it names all of them.
    """
    return opened(find_photos(manifest, preprocess, faults=faults))


def opened(photos: Photos) -> Photos:
    """Return photos from their cache, if they have one; see `open_photos`."""
    if photos.cache is None:
        return photos
    faults, files = photos.faults, photos.files
    found = {} if faults is None else faults
    cached = photos.decoded(photos.cache, found)
    if found and faults is None:
        raise _unreadable(files, found)
    return replace(photos, cached=cached)


def _unreadable(files: Sequence[Path], faults: Mapping[int, str]) -> MaskkitError:
    """Return the error that names what is wrong with each of some photos."""
    rows = sorted(faults)
    if len(rows) == 1:
        return undecodable(str(files[rows[0]]), faults[rows[0]])
    return MaskkitError(
        f"cannot read {len(rows)} of {len(files)} photos",
        why=examples((f"{files[row]} ({faults[row]})" for row in rows), most=NAMED),
        fix="repair or remove them; `maskkit label --skip-bad` leaves such files out",
    )


def _unopened(file: Path) -> str | None:
    """Say why a file cannot be read, if so."""
    try:
        photo_size(file)
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return fault(error)
    except PhotoError as error:
        return str(error)
    return None


def _store_name(preprocess: Preprocess) -> str:
    """Name the store by all that pixels depend on beside the file and how it is cut."""
    facts = {name: value for name, value in asdict(preprocess).items() if name not in ("mean", "std", "crop")}
    digest = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:12]
    return f"pixels-{preprocess.height}x{preprocess.width}-{digest}"


@dataclass(frozen=True)
class _Decoder:
    """Decodes photos on all processors, and notes what is wrong with those that it cannot."""

    photos: Photos
    digests: Digests
    faults: dict[int, str]

    def __call__(self, rows: NDArray[np.int64]) -> Pixels:
        """Return the pixels of these photos, (rows, height, width, 3), black where there is a fault."""
        pixels = np.zeros((len(rows), *self.photos.size, 3), np.uint8)

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
        file, preprocess = self.photos.files[row], self.photos.preprocess
        try:
            with photo_bytes(file) as data:
                if digest_of(data) == self.digests[row].tobytes():
                    return load(data, preprocess, box=self.photos._box(row), name=str(file))
        except (OSError, PhotoError):
            return load(file, preprocess)  # which says what is wrong with it
        # Its pixels would be kept under the digest of what it was before.
        raise MaskkitError(
            f"cannot keep the pixels of {file}",
            why="it was changed while it was read",
            fix="run the command again",
        )
