"""Find the face of each of many photos."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.decode import decode
from maskkit.imaging.faces.detection import Detector, Face, Photo, is_plausible, the_person
from maskkit.imaging.faces.models import FaceModel
from maskkit.progress import track

# Pixels of the longer side of what a detector sees. Portraits show large faces, for which that is best:
# of 763 photos at 384x512, CenterFace gives 0.5 or more to 99.7 % at 256, in 11 ms each on one core, and
# to 72 % at their full size, in 39 ms; at 128, to 95 %, in 4 ms.
LONGEST = 256
BLOCK = 10_000  # photos waiting for a thread


@dataclass(frozen=True)
class FoundFaces:
    """What was found in each photo.

    Args:
        boxes: Of the faces, (photos, 4), NaN where there is none.
        misplaced: Where what was found cannot be a portrait's face, (photos,); these have no box.
    """

    boxes: NDArray[np.float32]
    misplaced: NDArray[np.bool_]

    @property
    def is_found(self) -> NDArray[np.bool_]:
        """Which photos have a box, (photos,)."""
        return ~np.isnan(self.boxes[:, 0])


def find_faces(model: FaceModel, files: Sequence[Path], *, score: float) -> FoundFaces:
    """Find the face of each photo, on all processors.

    What is found depends neither on the number of threads nor on the other photos.

    Args:
        model: Finds the faces.
        files: The photos.
        score: Lowest score of a face.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    of_thread = threading.local()

    def look(file: Path) -> tuple[Face | None, bool]:
        detector = getattr(of_thread, "detector", None)
        if detector is None:
            detector = of_thread.detector = model.detector(score)
        return _look(file, detector)

    boxes = np.full((len(files), 4), np.nan, np.float32)
    misplaced = np.zeros(len(files), np.bool_)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV works outside the interpreter's lock
        blocks = (files[start : start + BLOCK] for start in range(0, len(files), BLOCK))
        looks = chain.from_iterable(pool.map(look, block) for block in blocks)
        for row, (face, misplaced[row]) in enumerate(track(looks, len(files), "photos")):
            if face is not None:
                boxes[row] = face.box
    return FoundFaces(boxes, misplaced)


def reduced(file: Path) -> Photo:
    """Read a photo as detectors see it: upright RGB, at most LONGEST pixels in height and width."""
    image = decode(file, least=_seen_size)
    height, width = _seen_size(image.height, image.width)
    if image.size == (width, height):
        return np.asarray(image)
    return np.asarray(cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _look(file: Path, detector: Detector) -> tuple[Face | None, bool]:
    """Return the person's face, and whether there are faces but none where a portrait's can be."""
    photo = reduced(file)
    faces = detector(photo)
    height, width = photo.shape[:2]
    person = the_person([face for face in faces if is_plausible(face, height=height, width=width)])
    return person, bool(faces) and person is None


def _seen_size(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, LONGEST / max(height, width))
    return ceil(height * scale), ceil(width * scale)
