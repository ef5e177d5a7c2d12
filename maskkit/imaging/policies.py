"""Policies and single changes that albumentations makes, by name.

The only module that knows albumentations. Its 2.0.8 is the last release under the MIT licence and gets
no fixes, so all that depends on it stays here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from maskkit.imaging.dataset import Drawn, Rows
from maskkit.imaging.photos import Pixels

# ruff: noqa: N803 - `A` for the library is the field's habit
Change = Any  # a transform of albumentations, which has no types


class Policy:
    """Changes that albumentations makes to each photo, one after the other, each with its own chance.

    They are made once per thread, for a policy keeps its randomness in itself.
    """

    def __init__(self, changes: Callable[..., list[Change]], **settings: Any) -> None:
        self._changes = partial(changes, **settings)
        self._of_thread = threading.local()

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw a seed for each photo, (rows,)."""
        return random.integers(0, 2**31, len(rows))

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Vary the photos, uint8 (N, height, width, 3)."""
        policy = getattr(self._of_thread, "policy", None)
        if policy is None:
            os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for newer versions
            import albumentations  # a second of imports, which the other augmentations do without

            policy = self._of_thread.policy = albumentations.Compose(self._changes(albumentations))
        varied = np.empty_like(pixels)
        for photo, out, seed in zip(pixels, varied, drawn.tolist(), strict=True):
            policy.set_random_seed(seed)
            out[:] = policy(image=photo)["image"]
        return varied


def _moved(
    A: Any, *, scale: tuple[float, float], degrees: float, shear: float, shift: float, p: float
) -> Change:
    import cv2

    return A.Affine(
        scale=scale,
        rotate=(-degrees, degrees),
        shear=(-shear, shear),
        translate_percent=(-shift, shift),
        border_mode=cv2.BORDER_REPLICATE,  # an edge goes on: black would tell how a photo was moved
        p=p,
    )


def _medium(A: Any) -> list[Change]:
    """Larger moves and other light than `light`, local contrast, compression."""
    return [
        A.HorizontalFlip(p=0.5),
        _moved(A, scale=(0.75, 1.3), degrees=20, shear=8, shift=0.1, p=0.9),
        A.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=0.8),
        A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=40, val_shift_limit=0, p=0.5),
        A.CLAHE(clip_limit=(1, 3), p=0.1),
        A.ToGray(p=0.1),
        A.OneOf([A.GaussianBlur(blur_limit=(3, 5)), A.GaussNoise(std_range=(0.02, 0.1))], p=0.3),
        A.ImageCompression(quality_range=(40, 90), p=0.2),
        A.CoarseDropout(
            num_holes_range=(1, 2), hole_height_range=(0.1, 0.3), hole_width_range=(0.1, 0.3), p=0.5
        ),
    ]


def _strong(A: Any) -> list[Change]:
    """Everything of `medium` further and more often; a grid of holes, blur by motion, fewer pixels."""
    holes = {"hole_height_range": (0.1, 0.25), "hole_width_range": (0.1, 0.25)}
    return [
        A.HorizontalFlip(p=0.5),
        _moved(A, scale=(0.65, 1.5), degrees=30, shear=12, shift=0.15, p=0.95),
        A.OneOf(
            [
                A.RandomBrightnessContrast(brightness_limit=0.4, contrast_limit=0.4),
                A.RandomGamma(gamma_limit=(50, 180)),
            ],
            p=0.9,
        ),
        A.HueSaturationValue(hue_shift_limit=15, sat_shift_limit=60, val_shift_limit=0, p=0.6),
        A.CLAHE(clip_limit=(1, 4), p=0.2),
        A.ToGray(p=0.15),
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=(3, 7)),
                A.MotionBlur(blur_limit=(3, 7)),
                A.GaussNoise(std_range=(0.04, 0.15)),
            ],
            p=0.5,
        ),
        A.OneOf([A.ImageCompression(quality_range=(20, 80)), A.Downscale(scale_range=(0.4, 0.75))], p=0.3),
        A.OneOf(
            [
                A.CoarseDropout(num_holes_range=(2, 4), **holes),
                A.GridDropout(ratio=0.4, holes_number_xy=(4, 4), random_offset=True),
            ],
            p=0.6,
        ),
    ]


HOLES = {"num_holes_range": (1, 3), "hole_height_range": (0.1, 0.3), "hole_width_range": (0.1, 0.3)}

# From albumentations and the settings of the choice to the changes.
CHANGES: dict[str, Callable[..., list[Change]]] = {
    "medium": _medium,
    "strong": _strong,
    "grid-shuffle": lambda A, *, grid, p: [A.RandomGridShuffle(grid=(grid, grid), p=p)],
    "clahe": lambda A, *, p: [A.CLAHE(clip_limit=(1, 4), tile_grid_size=(4, 4), p=p)],
    "coarse-dropout": lambda A, *, p: [A.CoarseDropout(**HOLES, p=p)],
    "colour": lambda A, *, p: [A.ColorJitter(brightness=0.25, contrast=0.25, saturation=0.3, hue=0.04, p=p)],
    "blur": lambda A, *, p: [
        A.OneOf([A.GaussianBlur(blur_limit=(3, 7)), A.MotionBlur(blur_limit=(3, 7))], p=p)
    ],
    "jpeg": lambda A, *, p: [A.ImageCompression(quality_range=(20, 90), p=p)],
    "affine": lambda A, *, p: [_moved(A, scale=(0.85, 1.2), degrees=12, shear=4, shift=0.08, p=p)],
}  # fmt: skip
POLICIES = {name: partial(Policy, changes) for name, changes in CHANGES.items()}
