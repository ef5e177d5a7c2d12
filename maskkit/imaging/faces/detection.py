"""A face that was found, and which of several is the person's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

# What a face of the person in a portrait can be. On 1,519 photos of the home task CenterFace's boxes were
# 0.44 to 0.96 large, 0.9 to 1.4 times as high as wide, and centred between 0.40 and 0.59 across, 0.30 and
# 0.51 down; the ranges leave room for photos that were taken from farther away or less carefully.
SIZE = (0.1, 1.0)  # square root of the share of the photo's area
SHAPE = (0.5, 2.5)  # height / width, in pixels
ACROSS = (0.15, 0.85)  # of the box's centre
DOWN = (0.1, 0.85)

Photo = NDArray[np.uint8]  # RGB, (height, width, 3)


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Args:
        box: x0, y0, x1, y1 as fractions of the photo's width and height, inside the photo.
        score: How sure the detector is, from 0 to 1.
    """

    box: tuple[float, float, float, float]
    score: float

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
    return max(faces, key=_prominence, default=None)


def is_plausible(face: Face, *, height: int, width: int) -> bool:
    """Whether a box can be the face of a portrait: neither tiny, nor oblong, nor at the photo's edge.

    Args:
        face: What a detector found.
        height: Of the photo, in pixels.
        width: Likewise.
    """
    x0, y0, x1, y1 = face.box
    if x0 >= x1 or y0 >= y1:
        return False
    across, down = face.centre
    shape = (y1 - y0) * height / ((x1 - x0) * width)
    measured = ((face.size, SIZE), (shape, SHAPE), (across, ACROSS), (down, DOWN))
    return all(low <= value <= high for value, (low, high) in measured)


def _prominence(face: Face) -> float:
    across, down = face.centre
    distance = hypot(across - 0.5, down - 0.5) / hypot(0.5, 0.5)
    return face.score * face.size * (1 - distance)
