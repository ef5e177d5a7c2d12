"""RandAugment and TrivialAugment: changes drawn from a list of fourteen, without a search for a policy.

The changes and their ranges are those of torchvision, whose functions do them; its own classes draw from
PyTorch's global generator, so that what they do would depend on which thread comes first. Two things differ
from its defaults: photos are interpolated, and what is uncovered is grey as in RandAugment's first code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import atan, degrees

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from maskkit.imaging.dataset import Drawn, Rows
from maskkit.imaging.photos import Pixels

STRENGTHS = 30  # steps from nothing to the farthest
FILLED = {"interpolation": InterpolationMode.BILINEAR, "fill": [128.0, 128.0, 128.0]}


@dataclass(frozen=True)
class Extent:
    """How far each change goes at most."""

    shear: float  # pixels aside per pixel
    shift: Callable[[int], float]  # pixels, of a side of this length
    turn: float  # degrees
    factor: float  # by which brightness, colour, contrast and sharpness are less or more than 1
    bits: int  # how many of a channel's eight are lost


USUAL = Extent(shear=0.3, shift=lambda side: 150 / 331 * side, turn=30, factor=0.9, bits=4)
WIDE = Extent(shear=0.99, shift=lambda _: 32, turn=135, factor=0.99, bits=6)


def _sheared(photo: Tensor, across: float, down: float) -> Tensor:
    angles = [degrees(atan(across)), degrees(atan(down))]
    sheared: Tensor = tv.affine(
        photo, angle=0.0, translate=[0, 0], scale=1.0, shear=angles, center=[0, 0], **FILLED
    )
    return sheared


def _shifted(photo: Tensor, across: float, down: float) -> Tensor:
    pixels = [int(across), int(down)]
    shifted: Tensor = tv.affine(photo, angle=0.0, translate=pixels, scale=1.0, shear=[0.0, 0.0], **FILLED)
    return shifted


# Each takes a photo, uint8 (3, height, width), and how far it goes: a share of the extent, negative for the
# other direction, which some do not have.
Operation = Callable[[Tensor, float, Extent], Tensor]
OPERATIONS: dict[str, Operation] = {
    "identity": lambda photo, far, most: photo,  # noqa: ARG005
    "shear-x": lambda photo, far, most: _sheared(photo, far * most.shear, 0),
    "shear-y": lambda photo, far, most: _sheared(photo, 0, far * most.shear),
    "translate-x": lambda photo, far, most: _shifted(photo, far * most.shift(photo.shape[2]), 0),
    "translate-y": lambda photo, far, most: _shifted(photo, 0, far * most.shift(photo.shape[1])),
    "rotate": lambda photo, far, most: tv.rotate(photo, far * most.turn, **FILLED),
    "brightness": lambda photo, far, most: tv.adjust_brightness(photo, 1 + far * most.factor),
    "colour": lambda photo, far, most: tv.adjust_saturation(photo, 1 + far * most.factor),
    "contrast": lambda photo, far, most: tv.adjust_contrast(photo, 1 + far * most.factor),
    "sharpness": lambda photo, far, most: tv.adjust_sharpness(photo, 1 + far * most.factor),
    "posterize": lambda photo, far, most: tv.posterize(photo, round(8 - abs(far) * most.bits)),
    "solarize": lambda photo, far, most: tv.solarize(photo, 255 * (1 - abs(far))),  # noqa: ARG005
    "autocontrast": lambda photo, far, most: tv.autocontrast(photo),  # noqa: ARG005
    "equalize": lambda photo, far, most: tv.equalize(photo),  # noqa: ARG005
}


class Automatic:
    """Some operations per photo, each as likely, after half of the photos were mirrored.

    Mirroring is not one of the operations; the experiments of both papers do it before. The same operation
    may come again. `magnitude` is how far they go, of STRENGTHS; None to draw it, from 0 on, for each.
    """

    def __init__(self, *, ops: int, extent: Extent, magnitude: int | None) -> None:
        self.ops, self.extent, self.magnitude = ops, extent, magnitude

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw operations, their strength and direction for each photo, (rows,) of a structured type."""
        shape = (len(rows), self.ops)
        fixed = self.magnitude
        steps = {
            "operation": random.integers(0, len(OPERATIONS), shape),
            "strength": random.integers(0, STRENGTHS + 1, shape) if fixed is None else np.full(shape, fixed),
            "direction": 2 * random.integers(0, 2, shape) - 1,
        }
        drawn = np.zeros(len(rows), [("mirror", bool), *((name, int, (self.ops,)) for name in steps)])
        drawn["mirror"] = random.random(len(rows)) < 0.5
        for name, values in steps.items():
            drawn[name] = values
        return drawn

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Vary the photos, uint8 (N, height, width, 3)."""
        operations = list(OPERATIONS.values())
        varied = np.empty_like(pixels)
        for photo, out, one in zip(pixels, varied, drawn, strict=True):
            changed = torch.from_numpy(photo).permute(2, 0, 1)
            if one["mirror"]:
                changed = tv.horizontal_flip(changed)
            far = one["direction"] * one["strength"] / STRENGTHS
            for number, share in zip(one["operation"].tolist(), far.tolist(), strict=True):
                changed = operations[number](changed, share, self.extent)
            out[:] = changed.permute(1, 2, 0).numpy()
        return varied


def randaugment(*, ops: int, magnitude: int) -> Automatic:
    """Return RandAugment, from Cubuk et al. 2020, https://arxiv.org/abs/1909.13719.

    Every operation goes equally far: N = `ops` and M = `magnitude` of section 3, M of 30.
    """
    return Automatic(ops=ops, extent=USUAL, magnitude=magnitude)


# From Mueller and Hutter 2021, https://arxiv.org/abs/2103.10158, algorithm 1 with the wide space: a single
# operation, anywhere from nothing to very far.
trivial = partial(Automatic, ops=1, extent=WIDE, magnitude=None)
