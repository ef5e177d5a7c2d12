"""A portrait, drawn once, and the photos taken of it: near-copies that differ in mask, light and camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.drawing import face, hair, worn
from maskkit.drawing.canvas import HEIGHT, WIDTH, Array, Canvas, X, Y, grain, planes, shade
from maskkit.drawing.people import Appearance
from maskkit.drawing.skull import Skull

_WORN_WELL = {"wear": True, "incorrect": False, "none": None}
_FROM_CENTRE = 2 * ((X / WIDTH - 0.5) ** 2 + (Y / HEIGHT - 0.5) ** 2)  # 0 in the middle, 1 in the corners


@dataclass(frozen=True)
class Portrait:
    """A face without a mask, and what is needed to put one on."""

    look: Appearance
    skull: Skull
    canvas: Canvas
    hair: Array  # cover of the hair in front, (512, 384)


def draw_portrait(look: Appearance) -> Portrait:
    """Draw somebody from the wall behind to the hair in front."""
    canvas, skull = Canvas.blank(), Skull.of(look)
    _draw_wall(canvas, look)
    hair.draw_back_hair(canvas, look, skull)
    face.draw_neck(canvas, look, skull)
    worn.draw_clothes(canvas, look, skull)
    face.draw_face(canvas, look, skull)
    hair.draw_beard(canvas, look, skull)
    front = hair.draw_front_hair(canvas, look, skull)
    worn.draw_earrings(canvas, look, skull)
    worn.put_on_glasses(canvas, look, skull, hair=front)
    return Portrait(look, skull, canvas, front)


def _draw_wall(canvas: Canvas, look: Appearance) -> None:
    """Fill the canvas with a wall out of focus, lighter to one side."""
    random = np.random.default_rng([look.texture, 5])
    slope = random.uniform(-0.18, 0.18) * (X / 192 - 1) + random.uniform(-0.12, 0.04) * (Y / 256 - 1)
    patches = 0.05 * grain(random, 110) * random.uniform(0.3, 1.6)
    canvas.colour[...] = planes(look.wall) * (0.93 + slope + patches)
    if random.random() < 0.4:  # a shelf, a window or a door frame
        x, wide = random.uniform(0, 384), random.uniform(25, 90)
        frame = np.clip((wide - np.abs(X - x)) / 9 + 0.5, 0, 1).astype(np.float32)
        canvas.paint(frame * np.float32(0.3), (1, 1, 1) if random.random() < 0.3 else (0.3, 0.3, 0.3))


def take_photo(portrait: Portrait, *, mask: str, random: np.random.Generator) -> NDArray[np.uint8]:
    """Take one photo, with its own light, crop, sharpness and noise, RGB as uint8 (512, 384, 3).

    The mask `wear` covers the nose, `incorrect` is under it or on the chin, `none` is no mask.
    """
    canvas = portrait.canvas.copy()
    worn_well = _WORN_WELL[mask]
    if worn_well is not None:
        worn.put_on_mask(canvas, portrait.skull, hair=portrait.hair, worn_well=worn_well, random=random)
    light = float(random.uniform(-0.6, 0.6)), float(random.uniform(-0.65, -0.15))
    lit = shade(canvas, light=light, ambient=float(random.uniform(0.42, 0.6)))
    return _developed(_framed(lit, random), random)


def _framed(image: Array, random: np.random.Generator) -> Array:
    """Turn, enlarge and shift a little; never so little enlarged that the canvas ends inside the photo."""
    turn, scale = random.normal(0, 2.0), random.uniform(1.07, 1.24)
    warp = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2 + 10), turn, scale)
    warp[:, 2] += np.array([random.uniform(-9, 9), random.uniform(-10, 6)])
    size, border = (WIDTH, HEIGHT), cv2.BORDER_REFLECT
    return np.stack([cv2.warpAffine(plane, warp, size, borderMode=border) for plane in image])


def _developed(image: Array, random: np.random.Generator) -> NDArray[np.uint8]:
    """Add what a camera adds: exposure, white balance, vignette, blur and noise."""
    sharpness, exposure = random.uniform(0.35, 1.1), random.uniform(224, 286)  # 255 keeps the brightness
    warm, cold = 1 + random.normal(0, 0.03), 1 + random.normal(0, 0.04)
    corners = 1 - np.float32(random.uniform(0, 0.22)) * _FROM_CENTRE
    noise = random.standard_normal((HEIGHT, WIDTH), np.float32) * np.float32(random.uniform(1.5, 5.5))
    blurred = np.stack([cv2.GaussianBlur(plane, (0, 0), sharpness) for plane in image])
    blurred *= planes((exposure * warm, exposure, exposure * cold)) * corners
    blurred += noise + np.float32(0.5)
    return np.ascontiguousarray(np.clip(blurred, 0, 255).astype(np.uint8).transpose(1, 2, 0))
