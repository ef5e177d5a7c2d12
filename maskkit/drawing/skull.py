"""Where things are on a face: one set of measures that skin, hair and masks all share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.drawing.canvas import Array, Points, X, Y
from maskkit.drawing.people import Appearance

CENTRE, EYES = 192.0, 240.0  # pixels of the canvas


@dataclass(frozen=True)
class Skull:
    """Measures in pixels of the canvas, or in face coordinates.

    Face coordinates start between the eyes, x to the right and y down. 100 across is half the width
    of the head, 150 down is the chin, so that one drawing fits every face.
    """

    half: float  # half the width at the eyes
    up: float  # from the eyes to the top of the skull
    down: float  # from the eyes to the chin
    jaw: float  # exponent of the outline below the eyes
    sag: float
    eye: float  # from the middle to a pupil, in face coordinates
    nose: float  # from the eyes to the tip of the nose, in face coordinates
    mouth: float  # from the eyes to between the lips, in face coordinates

    @classmethod
    def of(cls, look: Appearance) -> Skull:
        """Return the measures of somebody who looks so."""
        nose = 68 * look.nose_length
        half, down, eye, mouth = 108 * look.width, 150 * look.length, 43 * look.eye_gap, 82 + 0.3 * nose
        return cls(half, 134, down, look.jaw, look.sag, eye, nose, mouth)

    def at(self, points: Points) -> NDArray[np.float64]:
        """Turn face coordinates into pixels, float64 (points, 2)."""
        scale = np.array([self.half / 100, self.down / 150])
        placed: NDArray[np.float64] = np.asarray(points, np.float64) * scale + (CENTRE, EYES)
        return placed

    def spot(self, x: float, y: float) -> tuple[float, float]:
        """Turn one point in face coordinates into pixels."""
        return CENTRE + x * self.half / 100, EYES + y * self.down / 150

    @cached_property
    def outline(self) -> Array:
        """Distances as `distance` returns them, for the head itself."""
        return self.distance(grown=0)

    def distance(self, *, grown: float) -> Array:
        """Return how far out each pixel is: 0 between the eyes, 1 on the head's outline `grown` by pixels."""
        rows = Y[:, :1]
        below = np.clip((rows - EYES) / np.float32(self.down + grown), 0, None)  # (512, 1)
        above = np.clip((EYES - rows) / np.float32(self.up + grown), 0, None)
        width = np.float32(self.half + grown) * self._taper(np.minimum(below, 1.2))
        across = np.abs(X - CENTRE) / width  # (512, 384)
        far: Array = (across**2.2 + (below ** np.float32(self.jaw) + above**2.3)).astype(np.float32)
        return far

    def dome(self, distance: Array) -> Array:
        """Return the height of the head in pixels, given the distances that `distance` returns."""
        return 40 + 78 * np.clip(1 - distance, 0, 1) ** np.float32(0.46)

    def edge(self, y: float) -> float:
        """Return half the head's width, in face coordinates, at height `y` (face coordinates, 0 to 149)."""
        below = y / 150
        return float(100 * self._taper(below) * (1 - below**self.jaw) ** (1 / 2.2))

    def _taper(self, below: Any) -> Any:
        """Return how a face narrows from the eyes (0) to the chin (1); slack cheeks fill it out again."""
        jowl = 0.10 * self.sag * np.exp(-(((below - 0.72) / 0.16) ** 2))
        return 1 - 0.20 * below**1.6 + jowl
