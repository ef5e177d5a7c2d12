"""What a camera does anyway: mirror, small moves, other light and colour, a little blur or noise.

And a hidden patch now and then: seven near-copies of each person are soon known by heart otherwise.
However many changes there are, a photo is resampled once and its colours are mapped once, which takes a
third to a fifth of the time of a library that does one after the other (benchmarks/pipeline.py).
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.dataset import Drawn, Rows
from maskkit.imaging.photos import Pixels

Floats = NDArray[np.floating]

# What happens how often, and the ranges that its size is drawn from, evenly.
CHANCES = {
    "flip": 0.5, "move": 0.9, "light": 0.8, "colour": 0.4, "grey": 0.05,
    "blur": 0.1, "noise": 0.1, "patch": 0.3,
}  # fmt: skip
SCALE = (0.85, 1.2)
DEGREES = (-12, 12)
SHEAR = (-4, 4)  # degrees, in both directions
SHIFT = (-0.08, 0.08)  # of width and height
CONTRAST = (0.75, 1.25)
BRIGHTNESS = (-0.25, 0.25)  # of white
HUE = (-16, 16)  # degrees
SATURATION = (0.7, 1.3)
NOISE = (0.02, 0.06)  # standard deviation, of white
PATCH = (0.1, 0.3)  # of width and height

DRAWN = np.dtype(
    [
        ("warp", np.float32, (2, 2)),  # from a pixel's place to that of its source, about the middle
        ("shift", np.float32, (2,)),  # of width and height
        ("colour", np.float32, (3, 4)),
        ("blur", np.bool_),
        ("noise", np.float32),  # standard deviation, of 255; 0 for none
        ("grain", np.int64, (2,)),  # where the noise is taken from
        ("patch", np.float32, (2, 2)),  # top and left, bottom and right, in shares; all 0 for none
    ]
)
SPARE = 64  # pixels by which the field of noise is larger than a photo, so that it can be laid in many ways

# Luma, and how hue and saturation act on it: feColorMatrix, https://www.w3.org/TR/filter-effects-1/
LUMA = np.tile([0.213, 0.715, 0.072], (3, 1))
HUE_SINE = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])


class Light:
    """The augmentation `light`."""

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw for each photo, (rows,) of DRAWN."""
        count = len(rows)
        drawn = np.zeros(count, DRAWN)
        happens = {name: random.random(count) < chance for name, chance in CHANCES.items()}
        drawn["warp"] = _warps(happens, random)
        drawn["shift"] = happens["move"][:, None] * random.uniform(*SHIFT, (count, 2))
        drawn["colour"] = _colours(happens, random)
        drawn["blur"] = happens["blur"]
        drawn["noise"] = happens["noise"] * 255 * random.uniform(*NOISE, count)
        drawn["grain"] = random.integers(0, SPARE, (count, 2))
        size = random.uniform(*PATCH, (count, 2))
        start = random.random((count, 2)) * (1 - size)
        drawn["patch"] = happens["patch"][:, None, None] * np.stack([start, start + size], axis=1)
        return drawn

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Vary the photos, uint8 (N, height, width, 3)."""
        height, width = pixels.shape[1:3]
        middle = np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
        shift = drawn["shift"] * np.array([width, height], np.float32)
        offset = middle + shift - drawn["warp"] @ middle
        matrices = np.concatenate([drawn["warp"], offset[:, :, None]], axis=2)  # in pixels, (N, 2, 3)
        patches = np.rint(drawn["patch"] * (height, width)).astype(int)
        varied = np.empty_like(pixels)
        four, warped = (np.empty((height, width, 4), np.uint8) for _ in range(2))
        for photo, out, matrix, patch, one in zip(pixels, varied, matrices, patches, drawn, strict=True):
            # OpenCV warps four channels in half the time of three, to the same pixels.
            cv2.cvtColor(photo, cv2.COLOR_RGB2RGBA, dst=four)
            cv2.warpAffine(
                four, matrix, (width, height), dst=warped, borderMode=cv2.BORDER_REPLICATE,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            )  # fmt: skip
            cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=out)
            cv2.transform(out, one["colour"], dst=out)
            if one["blur"]:
                cv2.GaussianBlur(out, (3, 3), 0, dst=out)
            if one["noise"]:
                top, left = one["grain"]
                grain = _grain(height + SPARE, width + SPARE)[top : top + height, left : left + width]
                cv2.addWeighted(out, 1, grain, float(one["noise"]), 0, dst=out, dtype=cv2.CV_8U)
            (top, left), (bottom, right) = patch
            out[top:bottom, left:right] = 0
        return varied


def _warps(happens: dict[str, NDArray[np.bool_]], random: np.random.Generator) -> Floats:
    """Return rotation, shear, scale and mirror as one matrix per photo, (N, 2, 2)."""
    count = len(happens["move"])
    angle, shear_x, shear_y = np.radians(
        [random.uniform(*DEGREES, count), random.uniform(*SHEAR, count), random.uniform(*SHEAR, count)]
    )
    scale = random.uniform(*SCALE, count)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # (2, 2, N)
    one = np.ones(count)
    shear = np.array([[one, np.tan(shear_x)], [np.tan(shear_y), one]])
    moved = np.einsum("ijn,jkn->nik", turn, shear) / scale[:, None, None]
    warp = np.where(happens["move"][:, None, None], moved, np.eye(2))
    warp[:, :, 0] *= np.where(happens["flip"], -1, 1)[:, None]
    return warp


def _colours(happens: dict[str, NDArray[np.bool_]], random: np.random.Generator) -> Floats:
    """Return hue, saturation, contrast and brightness as one affine map of RGB per photo, (N, 3, 4)."""
    count = len(happens["light"])
    colour, light = happens["colour"], happens["light"]
    angle = np.radians(colour * random.uniform(*HUE, count))[:, None, None]
    hue = LUMA + np.cos(angle) * (np.eye(3) - LUMA) + np.sin(angle) * HUE_SINE  # (N, 3, 3)
    saturation = np.where(colour, random.uniform(*SATURATION, count), 1)
    saturation = np.where(happens["grey"], 0, saturation)[:, None, None]
    contrast = np.where(light, random.uniform(*CONTRAST, count), 1)[:, None, None]
    brightness = 255 * light * random.uniform(*BRIGHTNESS, count)
    matrix = contrast * ((LUMA + saturation * (np.eye(3) - LUMA)) @ hue)
    offset = np.repeat(brightness, 3).reshape(count, 3, 1)
    return np.concatenate([matrix, offset], axis=2)


@cache
def _grain(height: int, width: int) -> Floats:
    """Return a field of standard normal noise, float32 (height, width, 3), the same in every run."""
    return np.random.default_rng(0).standard_normal((height, width, 3), np.float32)
