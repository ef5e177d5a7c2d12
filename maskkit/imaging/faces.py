"""The face of the person in a photo: which of those that a detector finds, and of many photos at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, hypot, sqrt
from typing import Annotated

import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from maskkit.artifacts.progress_file import ProgressFile
from maskkit.imaging.decode import decode
from maskkit.imaging.each_photo import Found, look_at_each
from maskkit.storage.address import PathOrAddress

# What a face of the person in a portrait can be. On 1,519 photos of the home task CenterFace's boxes were
# 0.44 to 0.96 large, 0.9 to 1.4 times as high as wide, and centred between 0.40 and 0.59 across, 0.30 and
# 0.51 down; the ranges leave room for photos that were taken from farther away or less carefully.
SIZE = (0.1, 1.0)  # square root of the share of the photo's area
SHAPE = (0.5, 2.5)  # height / width, in pixels
ACROSS = (0.15, 0.85)  # of the box's centre
DOWN = (0.1, 0.85)

# Pixels of the longer side of what a detector sees. Portraits show large faces, for which that is best:
# of 763 photos at 384x512, CenterFace gives 0.5 or more to 99.7 % at 256, in 11 ms each on one core, and
# to 72 % at their full size, in 39 ms; at 128, to 95 %, in 4 ms.
LONGEST = 256

Share = Annotated[float, Meta(ge=0, le=1)]  # of a photo's width or height
Photo = NDArray[np.uint8]  # RGB, (height, width, 3)


@dataclass(frozen=True)
class Face:
    """A face in a photo."""

    box: tuple[float, float, float, float]  # x0, y0, x1, y1, fractions of width and height inside the photo
    score: float  # how sure the detector is, from 0 to 1

    @property
    def centre(self) -> tuple[float, float]:
        """How far across and down the photo the box's centre is."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def size(self) -> float:
        """Square root of the box's share of the photo: 0.5 for half the width and half the height."""
        x0, y0, x1, y1 = self.box
        return sqrt(max(0.0, x1 - x0) * max(0.0, y1 - y0))


Detector = Callable[[Photo], list[Face]]


def the_person(faces: Sequence[Face]) -> Face | None:
    """Return the face that a photo was taken of: large, surely a face, and near the centre.

    The largest `score * size * nearness` wins, where nearness falls from 1 in the centre of the photo to 0
    in its corners; of equals the first. A portrait's subject is the largest face, unless that is in a
    corner or may be none.
    """

    def prominence(face: Face) -> float:
        across, down = face.centre
        distance = hypot(across - 0.5, down - 0.5) / hypot(0.5, 0.5)
        return face.score * face.size * (1 - distance)

    return max(faces, key=prominence, default=None)


def is_plausible(face: Face, *, height: int, width: int) -> bool:
    """Whether a box, in a photo of so many pixels, can be a portrait's: not tiny, oblong, or at the edge."""
    x0, y0, x1, y1 = face.box
    if x0 >= x1 or y0 >= y1:
        return False
    across, down = face.centre
    shape = (y1 - y0) * height / ((x1 - x0) * width)
    measured = ((face.size, SIZE), (shape, SHAPE), (across, ACROSS), (down, DOWN))
    return all(low <= value <= high for value, (low, high) in measured)


@dataclass(frozen=True)
class FoundFaces:
    """What was found in each photo."""

    boxes: NDArray[np.float32]  # of the faces, (photos, 4), NaN where there is none
    misplaced: NDArray[np.bool_]  # where what was found cannot be a portrait's face, (photos,): no box there
    searched: int  # photos that were searched, and not known from an earlier run

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Which photos have a box, (photos,)."""
        return ~np.isnan(self.boxes[:, 0])


class SearchedPhoto(Found, array_like=True):
    """What was found in one photo."""

    box: tuple[Share, Share, Share, Share] | None = None  # of the person's face, as that of a `Face`
    misplaced: bool = False  # whether there are faces but none where a portrait's can be


def find_faces(
    make_detector: Callable[[], Detector], files: Sequence[PathOrAddress], *, kept: ProgressFile | None = None
) -> FoundFaces:
    """Find the face of each photo; each thread that does makes a detector of its own.

    What is found depends neither on the number of threads nor on the other photos. Looks at photos that are
    `kept` are taken from there.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    boxes = np.full((len(files), 4), np.nan, np.float32)
    misplaced = np.zeros(len(files), np.bool_)
    search = _Search(make_detector)
    with look_at_each(files, search, total=len(files), kind=SearchedPhoto, kept=kept) as looks:
        for row, photo in enumerate(looks):
            misplaced[row] = photo.misplaced
            if photo.box is not None:
                boxes[row] = photo.box
    return FoundFaces(boxes, misplaced, looks.opened)


@dataclass(frozen=True)
class _Search:
    """Finds the face of a photo."""

    make_detector: Callable[[], Detector]
    _of_thread: threading.local = field(default_factory=threading.local)

    def __reduce__(self) -> tuple[type[_Search], tuple[Callable[[], Detector]]]:
        return _Search, (self.make_detector,)  # threads of other processes make their own

    def __call__(self, file: PathOrAddress) -> SearchedPhoto:
        detector = getattr(self._of_thread, "detector", None)
        if detector is None:
            detector = self._of_thread.detector = self.make_detector()
        photo = reduced(file)
        faces = detector(photo)
        height, width = photo.shape[:2]
        person = the_person([face for face in faces if is_plausible(face, height=height, width=width)])
        return SearchedPhoto(None, person.box if person else None, misplaced=bool(faces) and person is None)


def reduced(file: PathOrAddress) -> Photo:
    """Read a photo as detectors see it: upright RGB, at most LONGEST pixels in height and width."""
    pixels = decode(file, least=_seen_size)
    height, width = _seen_size(*pixels.shape[:2])
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _seen_size(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, LONGEST / max(height, width))
    return ceil(height * scale), ceil(width * scale)
