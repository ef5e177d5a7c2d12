"""Photos whose pixels are kept in the cache, found by a digest of their content and of how they are cut."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.digests import DIGEST_BYTES, Digests, content_digests
from maskkit.cache.records import Cache, StoredRecords
from maskkit.cache.store import Store
from maskkit.engines.threads import on_all_cores
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.decode import fault
from maskkit.imaging.photo_file import (
    BadPhotoError,
    PhotoError,
    photo_start,
    read_photo,
    threads_for,
    undecodable,
)
from maskkit.imaging.photos import ChangedError, Photos, Pixels, find_photos
from maskkit.progress import moved
from maskkit.storage.address import PathOrAddress

NAMED = 20  # how many bad photos an error names


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
    found = {} if photos.faults is None else photos.faults
    kept = _decoded(photos, photos.cache, found)
    if found and photos.faults is None:
        raise _unreadable(photos.files, found)
    return kept


def _decoded(photos: Photos, cache: Cache, faults: dict[int, str]) -> Photos:
    """Return photos with their digests, and their pixels unless these cannot be kept.

    What is wrong with photos that cannot be decoded is noted by row in `faults`.
    """
    there, digests = _digests(photos, cache, faults)
    boxes = None if photos.boxes is None else photos.boxes[there]
    files = [photos.files[row] for row in there.tolist()]
    known = replace(photos, files=files, boxes=boxes, digests=digests, faults=None)
    kept = _kept(known, cache)
    if kept.changed:  # just now, or it is not what it was remembered to be
        with suppress(OSError, BadPhotoError):  # now it is gone
            digests[:] = content_digests(files, cache.folder, read=read_photo, distrusted=kept.changed)
            kept = _kept(known, cache)
    faults |= {int(there[row]): why for row, why in kept.faults.items()}
    everywhere = np.zeros((len(photos), DIGEST_BYTES), np.uint8)
    everywhere[there] = digests
    records = None if kept.records is None else kept.records.among(there, len(photos))
    return replace(photos, cached=records, digests=everywhere)


def _digests(photos: Photos, cache: Cache, faults: dict[int, str]) -> tuple[NDArray[np.int64], Digests]:
    """Return which files can be read, and their digests, (read, 32); `faults` notes the others."""
    there = np.arange(len(photos))
    try:
        return there, content_digests(photos.files, cache.folder, read=read_photo)
    except (OSError, BadPhotoError):
        with on_all_cores(_unopened, photos.files, threads=threads_for(photos.files)) as looks:
            faults |= {row: why for row, why in enumerate(looks) if why}
    there = np.array([row for row in there.tolist() if row not in faults], np.int64)
    if not len(there):
        return there, np.empty((0, DIGEST_BYTES), np.uint8)
    files = [photos.files[row] for row in there.tolist()]
    return there, content_digests(files, cache.folder, read=read_photo)


def lacking(photos: Photos) -> int:
    """Return how many photos `opened` would have to decode: none without a cache, where it decodes none."""
    return 0 if photos.cache is None else photos.cache.lacking(_store(photos), photos.keys())


@dataclass(frozen=True)
class _Kept:
    """What came of decoding into the cache."""

    records: StoredRecords | None  # None if they cannot be kept
    faults: Mapping[int, str]  # what is wrong with photos, by row
    changed: Sequence[int]  # rows of those that have another content than their digest says


def _kept(photos: Photos, cache: Cache) -> _Kept:
    decoder = _Decoder(photos)
    keys = photos.keys()
    records = cache.records(
        _store(photos), keys, decoder, failed=decoder.faults, again=photos.take, what="decoding photos"
    )
    if records is None:
        return _Kept(None, {}, ())
    # Of all photos with this content.
    reasons = {keys[row].tobytes(): why for row, why in decoder.faults.items()}
    bad = np.flatnonzero(records.place < 0).tolist()
    return _Kept(records, {row: reasons[keys[row].tobytes()] for row in bad}, sorted(decoder.changed))


def _unreadable(files: Sequence[PathOrAddress], faults: Mapping[int, str]) -> MaskkitError:
    """Return the error that names what is wrong with each of some photos."""
    rows = sorted(faults)
    if len(rows) == 1:
        return undecodable(str(files[rows[0]]), faults[rows[0]])
    return MaskkitError(
        f"cannot read {len(rows)} of {len(files)} photos",
        why=examples((f"{files[row]} ({faults[row]})" for row in rows), most=NAMED),
        fix="repair or remove them; `maskkit label --skip-bad` leaves such files out",
    )


def _unopened(file: PathOrAddress) -> str | None:
    """Say why a file cannot be read, if so."""
    try:
        photo_start(file, 1)
    except OSError as error:
        return fault(error)
    except PhotoError as error:
        return str(error)
    return None


def _store(photos: Photos) -> Store:
    """Return the store of pixels, named by all that they depend on beside the file and how it is cut."""
    preprocess = photos.preprocess
    facts = {name: value for name, value in asdict(preprocess).items() if name not in ("mean", "std", "crop")}
    digest = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:12]
    name = f"pixels-{preprocess.height}x{preprocess.width}-{digest}"
    return Store(name, (*photos.size, 3), np.dtype(np.uint8))


@dataclass(frozen=True)
class _Decoder:
    """Decodes photos on all processors, and notes what is wrong with those that it cannot."""

    photos: Photos  # whose digests are known
    faults: dict[int, str] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)  # rows of those that are not what their digest says

    def __call__(self, rows: NDArray[np.int64]) -> Pixels:
        """Return the pixels of these photos, (rows, height, width, 3), black where there is a fault."""
        pixels = np.zeros((len(rows), *self.photos.size, 3), np.uint8)

        def decode(index: int) -> None:
            row = int(rows[index])
            try:
                pixels[index] = self.photos.load(row)
            except BadPhotoError as error:
                self.faults[row] = error.why
                if isinstance(error, ChangedError):
                    self.changed.add(row)

        with on_all_cores(decode, range(len(rows)), threads=threads_for(self.photos.files)) as decoded:
            for _ in decoded:
                moved(1)
        return pixels
