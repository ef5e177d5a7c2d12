"""A canvas that keeps colour and relief apart, so that one portrait can be lit in many ways.

Shapes are given in pixels of a 384 x 512 canvas, x to the right and y down. What is painted gets a
colour and a height; `shade` turns the heights into light and shadow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Colour = tuple[float, float, float]
Points = Sequence[tuple[float, float]] | NDArray[np.float64]
Stroke = tuple[Points, float]  # a line and its strength, 0 to 1

WIDTH, HEIGHT = 384, 512
_y, _x = np.mgrid[:HEIGHT, :WIDTH]
X: Array = _x.astype(np.float32)
Y: Array = _y.astype(np.float32)


@dataclass(frozen=True)
class Canvas:
    """Colour as red, green and blue planes from 0 to 1, float32 (3, 512, 384), and height in pixels.

    Planes, because NumPy is several times slower when its innermost axis has a length of 3.
    """

    colour: Array
    height: Array

    @classmethod
    def blank(cls) -> Canvas:
        """Return a black, flat canvas."""
        return cls(np.zeros((3, HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), np.float32))

    def copy(self) -> Canvas:
        """Return a canvas that can be painted on without changing this one."""
        return Canvas(self.colour.copy(), self.height.copy())

    def paint(self, cover: Array, colour: Colour | Array) -> None:
        """Mix `colour` in where `cover`, (512, 384) from 0 to 1, says how opaque it is."""
        rows, columns = _extent(cover)
        here = self.colour[:, rows, columns]
        there = colour[:, rows, columns] if isinstance(colour, np.ndarray) else planes(colour)
        here += cover[rows, columns] * (there - here)

    def tint(self, cover: Array, factor: Colour) -> None:
        """Multiply the colour by `factor` where `cover` is 1: shadow, blush, stubble."""
        rows, columns = _extent(cover)
        self.colour[:, rows, columns] *= 1 + cover[rows, columns] * (planes(factor) - 1)

    def lay(self, cover: Array, height: Array) -> None:
        """Replace the height by `height` where `cover` is 1."""
        rows, columns = _extent(cover)
        here = self.height[rows, columns]
        here += cover[rows, columns] * (height[rows, columns] - here)

    def carve(self, cover: Array, *, depth: float, dark: float) -> None:
        """Cut creases `depth` pixels deep into skin, and darken them by the share `dark`."""
        self.height[...] -= np.float32(depth) * cover
        self.tint(np.float32(dark) * cover, (0.55, 0.40, 0.36))

    def bump(
        self, at: tuple[float, float], size: tuple[float, float], amount: float, turn: float = 0
    ) -> None:
        """Raise a Gaussian hill of `size` (standard deviations along x and y, turned by `turn` radians)."""
        rows, columns, hill = _hill(at, size, turn)
        self.height[rows, columns] += amount * hill

    def blush(self, at: tuple[float, float], size: tuple[float, float], factor: Colour) -> None:
        """Multiply the colour by `factor` at the centre of a Gaussian spot."""
        rows, columns, hill = _hill(at, size, 0)
        self.colour[:, rows, columns] *= 1 + hill * (planes(factor) - 1)


def planes(colour: Colour) -> Array:
    """Return a colour in the shape that mixes with planes, float32 (3, 1, 1)."""
    return np.asarray(colour, np.float32)[:, None, None]


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour `share` (0 to 1) of the way from `one` to `other`."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(one, other, strict=True))
    return red, green, blue


def _extent(cover: Array | NDArray[np.uint8], *, margin: int = 0) -> tuple[slice, slice]:
    """Return the rows and columns outside which `cover` is 0, with a margin in pixels."""
    left, top, width, height = cv2.boundingRect((cover > 0).view(np.uint8))
    rows = slice(max(0, top - margin), top + height + margin)
    return rows, slice(max(0, left - margin), left + width + margin)


def _hill(at: tuple[float, float], size: tuple[float, float], turn: float) -> tuple[slice, slice, Array]:
    rows, columns = _around(at, (3 * max(size), 3 * max(size)))
    dx, dy = X[:1, columns] - np.float32(at[0]), Y[rows, :1] - np.float32(at[1])
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = (cos * dx + sin * dy) / np.float32(size[0]), (cos * dy - sin * dx) / np.float32(size[1])
    return rows, columns, np.exp(-(along**2 + across**2) / 2)


def soften(values: Array, sigma: float) -> Array:
    """Blur with a Gaussian of `sigma` pixels; wide ones are blurred at a quarter of the size, for speed."""
    if sigma < 5:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
    small = cv2.resize(values, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4)
    return np.asarray(cv2.resize(small, values.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def smooth(points: Points, *, closed: bool = False, rounds: int = 3) -> NDArray[np.float64]:
    """Round a polygon or an open line by cutting its corners (Chaikin 1974); return float64 (n, 2)."""
    line = np.asarray(points, np.float64)
    for _ in range(rounds):
        after = np.roll(line, -1, axis=0) if closed else line[1:]
        before = line if closed else line[:-1]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        line = cut if closed else np.concatenate([line[:1], cut, line[-1:]])
    return line


def filled(points: Points, *, soft: float = 0.7) -> Array:
    """Return the cover of a polygon, its edge blurred by `soft` pixels, float32 (512, 384)."""
    layer = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(layer, [_fixed(points)], 255, cv2.LINE_AA, _SHIFT)
    return _softened(layer, soft)


def lines(strokes: Sequence[Stroke], *, thickness: int = 1, soft: float = 0.7) -> Array:
    """Return the cover of several open lines, each given with its strength from 0 to 1."""
    layer = np.zeros((HEIGHT, WIDTH), np.uint8)
    for points, strength in strokes:
        level = int(255 * min(1, max(0, strength)))
        cv2.polylines(layer, [_fixed(points)], False, level, thickness, cv2.LINE_AA, _SHIFT)
    return _softened(layer, soft)


def _softened(layer: NDArray[np.uint8], soft: float) -> Array:
    """Blur a drawn layer, only around what was drawn: most shapes are small."""
    rows, columns = _extent(layer, margin=int(4 * soft) + 1)
    cover = np.zeros(layer.shape, np.float32)
    cover[rows, columns] = soften(layer[rows, columns].astype(np.float32) / np.float32(255), soft)
    return cover


_SHIFT = 4  # fractional bits of OpenCV's coordinates


def _fixed(points: Points) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.round(np.asarray(points, np.float64) * 2**_SHIFT).astype(np.int32)
    return fixed


def disc(at: tuple[float, float], size: tuple[float, float], *, power: float = 2, soft: float = 1) -> Array:
    """Return the cover of an ellipse, or of a rounder box with a higher `power`; edge about `soft` pixels."""
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    reach = 1 + soft / min(size)
    rows, columns = _around(at, (size[0] * reach, size[1] * reach))
    far = radial(at, size, power, rows, columns)
    cover[rows, columns] = np.clip((1 - far) * np.float32(min(size) / (2 * soft)) + np.float32(0.5), 0, 1)
    return cover


def radial(
    at: tuple[float, float],
    size: tuple[float, float],
    power: float = 2,
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> Array:
    """Return the distance from `at` in units of `size`: 1 on the edge of the (super)ellipse."""
    dx = np.abs(X[:1, columns] - np.float32(at[0])) / np.float32(size[0])  # (1, columns)
    dy = np.abs(Y[rows, :1] - np.float32(at[1])) / np.float32(size[1])  # (rows, 1)
    far: Array = (dx ** np.float32(power) + dy ** np.float32(power)) ** np.float32(1 / power)
    return far


def _around(at: tuple[float, float], reach: tuple[float, float]) -> tuple[slice, slice]:
    """Return the rows and columns within `reach` pixels (across, down) of a point."""
    (x, y), (across, down) = at, reach
    rows = slice(max(0, int(y - down)), max(0, int(y + down) + 2))
    return rows, slice(max(0, int(x - across)), max(0, int(x + across) + 2))


def inflated(cover: Array, radius: float, height: float) -> Array:
    """Return the height of a cushion over `cover` that is round within `radius` pixels of its edge."""
    inside = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    depth = np.clip(np.asarray(inside, np.float32) / np.float32(radius), 0, 1)
    return soften(np.sqrt(1 - (1 - depth) ** 2) * np.float32(height), max(1.5, radius / 8))


def grain(random: np.random.Generator, size: float | tuple[float, float]) -> Array:
    """Return smooth noise about 0 with spots of `size` (or width, height) pixels, its spread about 1."""
    across, down = size if isinstance(size, tuple) else (size, size)
    shape = (int(np.ceil(HEIGHT / down)) + 3, int(np.ceil(WIDTH / across)) + 3)
    coarse = random.standard_normal(shape, np.float32) * np.float32(1.3)  # interpolating flattens it again
    fine = cv2.resize(coarse, None, fx=across, fy=down, interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine[:HEIGHT, :WIDTH], np.float32)


def shade(canvas: Canvas, *, light: tuple[float, float], ambient: float) -> Array:
    """Light the canvas from one side, and return its colours, float32 (3, 512, 384), unclipped.

    The light stands to the right and down, as slopes (-1 to 1); the share `ambient` comes from everywhere.
    """
    height = canvas.height
    # Steeper slopes, at the outlines, would draw a dark rim around everything.
    right = np.clip(cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125), -1.3, 1.3)
    down = np.clip(cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125), -1.3, 1.3)
    length = np.sqrt(1 + right * right + down * down)
    far = np.float32(np.hypot(1, np.hypot(*light)))
    facing = (1 - right * np.float32(light[0]) - down * np.float32(light[1])) / (length * far)
    hollow = np.clip((soften(height, 9) - height) * np.float32(0.03), -0.06, 0.14)
    hollow *= np.clip(height / 10, 0, 1)  # the wall is too far off to be shadowed by whom it frames
    level = np.float32(ambient) + np.float32(1 - ambient) * np.clip(facing, 0, 1) - hollow
    level = np.clip(level * np.float32(1.12), 0.05, 1.4)
    glint = np.clip(facing, 0, 1) ** 4
    shine = np.float32(0.10) * (glint * glint) * (glint * glint) * (glint * glint)
    # Shadows are warmer than lights, most visibly on skin.
    warmth = np.float32(0.14) * level * (1 - level)
    lights = np.stack([level + warmth, level, level - np.float32(0.7) * warmth])
    return np.asarray(canvas.colour * lights + shine, np.float32)
