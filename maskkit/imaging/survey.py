"""Look at every photo once: size, light, colour, sharpness, and which are there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from maskkit.artifacts.columns import Bools, Floats, Ints
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.imaging.decode import fault, opened
from maskkit.imaging.each_photo import Found, look_at_each
from maskkit.imaging.hashing import FINE_WORDS, groups_of, hash_of, near_pairs
from maskkit.imaging.photo_file import BadPhotoError, PhotoError, photo_bytes
from maskkit.storage.address import PathOrAddress

# One photo. Light and colour are shares of the largest value: 0 is black, 1 is white.
PROPERTIES = np.dtype(
    [
        ("width", np.int32),  # pixels, upright
        ("height", np.int32),
        ("bytes", np.int64),  # of the file
        ("format", "S8"),  # as Pillow names it
        ("mode", "S8"),  # likewise: RGB, L, CMYK, ...
        ("brightness", np.float32),  # mean of the luma
        ("contrast", np.float32),  # its standard deviation
        ("sharpness", np.float32),  # variance of its Laplacian (Pech-Pacheco et al. 2000), of luma 0 to 255
        ("mean", np.float32, 3),  # per channel
        ("std", np.float32, 3),
        ("content", np.uint64, 2),  # of the file's bytes
        ("coarse", np.uint64),  # perceptual hashes
        ("fine", np.uint64, FINE_WORDS),
    ]
)


class MeasuredPhoto(Found, array_like=True):
    """What was found by looking at one photo."""

    # One value of type PROPERTIES.
    entry: Annotated[bytes, Meta(min_length=PROPERTIES.itemsize, max_length=PROPERTIES.itemsize)] = b""
    complaint: str | None = None  # what is missing or damaged of it


@dataclass(frozen=True)
class Survey:
    """What photos look like, in the order they were given."""

    properties: NDArray[np.void]  # of type PROPERTIES, (photos,); 0 in all but the bytes of unreadable ones
    faults: Mapping[int, str] = field(default_factory=dict)  # what is wrong with those, by row
    scale: int = 1  # JPEGs were decoded at 1/scale of their size
    complaints: Mapping[int, str] = field(default_factory=dict)  # what readable ones lack, by row

    def __len__(self) -> int:
        return len(self.properties)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return one property of all photos, (photos, ...)."""
        return np.asarray(self.properties[name])

    @property
    def readable(self) -> Bools:
        """Whether each photo could be read, (photos,)."""
        return self["width"] > 0

    def colour(self) -> tuple[Floats, Floats]:
        """Return mean and standard deviation per channel over all pixels, (3,) each.

        Every photo counts the same, as it does once resized for a model.
        """
        mean, std = (self[name][self.readable].astype(np.float64) for name in ("mean", "std"))
        total = mean.mean(axis=0)
        return total, np.sqrt((std**2 + mean**2).mean(axis=0) - total**2)


def divided(whole: Survey, counts: Sequence[int]) -> list[Survey]:
    """Return the surveys of so many photos each that one consists of."""
    parts, start = [], 0
    for count in counts:
        faults, complaints = (
            {row - start: words for row, words in texts.items() if start <= row < start + count}
            for texts in (whole.faults, whole.complaints)
        )
        parts.append(Survey(whole.properties[start : start + count], faults, whole.scale, complaints))
        start += count
    return parts


def joined(surveys: Sequence[Survey]) -> Survey:
    """Return several surveys of one scale as one, in their order."""
    starts = list(zip(np.cumsum([0, *map(len, surveys[:-1])]).tolist(), surveys, strict=True))
    faults = {start + row: why for start, one in starts for row, why in one.faults.items()}
    complaints = {start + row: what for start, one in starts for row, what in one.complaints.items()}
    properties = np.concatenate([one.properties for one in surveys])
    return Survey(properties, faults, surveys[0].scale, complaints)


def survey(files: Sequence[PathOrAddress], *, scale: int = 1, kept: ProgressFile | None = None) -> Survey:
    """Read and decode every photo, on all cores; JPEGs at 1/1, 1/2, 1/4 or 1/8 of their size.

    At a smaller scale light and colour change little; sharpness and hashes can only be compared with those at
    the same scale. Looks at photos that are `kept` are taken from there.
    """
    keep_freed_memory()
    properties = np.zeros(len(files), PROPERTIES)
    faults: dict[int, str] = {}
    complaints: dict[int, str] = {}
    look = partial(_measured, scale=scale)
    with look_at_each(files, look, total=len(files), kind=MeasuredPhoto, kept=kept) as looks:
        for row, photo in enumerate(looks):
            properties[row] = np.frombuffer(photo.entry, PROPERTIES)[0]
            if photo.fault is not None:
                faults[row] = photo.fault
            elif photo.complaint is not None:
                complaints[row] = photo.complaint
    return Survey(properties, faults, scale, complaints)


def _measured(file: PathOrAddress, *, scale: int) -> MeasuredPhoto:
    entry = np.zeros(1, PROPERTIES)
    complaint, problem = None, None
    try:
        complaint = measure(file, entry[0], scale=scale)
    except PhotoError as error:
        problem = str(error)
    except OSError as error:  # of the file system; what is wrong inside a file is a MaskkitError
        problem = fault(error)
    except BadPhotoError as error:
        problem = error.why
    return MeasuredPhoto(problem, entry.tobytes(), complaint)


def measure(file: PathOrAddress, entry: np.void, *, scale: int = 1) -> str | None:
    """Fill in one entry of type PROPERTIES with what the file holds; return what is missing or damaged of it.

    Raises:
        OSError: The file cannot be read.
        PhotoError: It is no file that can hold a photo.
        BadPhotoError: It cannot be decoded.
        StoreError: Its store does not give it.
    """
    with photo_bytes(file) as data:
        entry["bytes"] = len(data)
        with opened(data, name=str(file), scale=scale) as (facts, pixels):
            _measure_pixels(pixels, entry)
        entry["content"] = np.frombuffer(hashlib.sha256(data).digest()[:16], np.uint64)
    entry["format"], entry["mode"] = facts.format, facts.mode
    entry["width"], entry["height"] = facts.width, facts.height  # last: it says that the photo is readable
    return facts.complaint


def _measure_pixels(pixels: NDArray[np.uint8], entry: np.void) -> None:
    luma = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    # One channel at a time: OpenCV has fast code for it, and none for three.
    channels = np.array([cv2.meanStdDev(one) for one in cv2.split(pixels)])[:, :, 0, 0] / 255  # (3, 2)
    brightness, contrast = cv2.meanStdDev(luma)
    edges = cv2.Laplacian(luma, cv2.CV_16S)
    entry["mean"], entry["std"] = channels[::-1].T
    entry["brightness"], entry["contrast"] = brightness[0, 0] / 255, contrast[0, 0] / 255
    entry["sharpness"] = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size - cv2.mean(edges)[0] ** 2
    entry["coarse"], entry["fine"] = hash_of(luma)


def keep_freed_memory() -> None:
    """Have glibc keep the memory of freed photos, instead of returning it to the kernel.

    It does so once it has seen a larger block freed. Mapping the planes of each photo anew would cost a
    twelfth of the processor time of `eda` of 4,550 photos, imports included.
    """
    np.empty(31 * 2**20, np.uint8)


@dataclass(frozen=True)
class Duplicates:
    """Pairs of the same files or nearly the same pictures, as rows of a survey.

    Of several equal photos, each is paired with the first only.
    """

    one: Ints  # the first of each pair, (pairs,)
    other: Ints  # the second, of a higher row
    is_exact: Bools  # whether both files hold the same bytes
    bits: Ints  # in how many of 256 bits the pictures' hashes differ
    photos: int  # how many there are

    def __len__(self) -> int:
        return len(self.one)

    def take(self, chosen: Bools) -> Duplicates:
        """Return some of the pairs."""
        return Duplicates(
            self.one[chosen], self.other[chosen], self.is_exact[chosen], self.bits[chosen], self.photos
        )

    def inside(self, photos: int) -> Duplicates:
        """Return the pairs among the first so many photos."""
        return replace(self.take(self.other < photos), photos=photos)

    def differ(self, codes: Ints) -> Bools:
        """Return whether the codes, (photos,), of each pair differ and are known: 0 or more, (pairs,)."""
        one, other = codes[self.one], codes[self.other]
        return np.asarray((one >= 0) & (other >= 0) & (one != other))

    def groups(self) -> Ints:
        """Return the first photo of the group of each photo, (photos,); most are a group by themselves."""
        return groups_of(np.column_stack([self.one, self.other]), self.photos)


def find_duplicates(survey: Survey) -> Duplicates:
    """Find exact duplicates among a survey's readable photos, and near ones by `maskkit.imaging.hashing`.

    Mirrored and strongly cropped copies are not found.
    """
    rows = np.flatnonzero(survey.readable)
    pairs, bits = near_pairs(survey["coarse"][rows], survey["fine"][rows])
    one, other = rows[pairs[:, 0]], rows[pairs[:, 1]]
    content = survey["content"]
    is_exact = (content[one] == content[other]).all(axis=1)
    return Duplicates(one, other, is_exact, bits, len(survey))
