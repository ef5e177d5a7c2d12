"""How training photos are varied, by name.

The only module that knows albumentations. Its 2.0.8 is the last release under the MIT licence and gets
no fixes, so all that depends on it stays here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from maskkit.config import Augmentation
from maskkit.imaging.dataset import Augment, Drawn, Rows
from maskkit.imaging.light import Light
from maskkit.imaging.photos import Pixels

if TYPE_CHECKING:
    import albumentations as A


class Medium:
    """The augmentation `medium`: larger moves and other light than `light`, local contrast, compression."""

    def __init__(self) -> None:
        self._of_thread = threading.local()  # a policy keeps its randomness in itself

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw a seed for each photo, (rows,)."""
        return random.integers(0, 2**31, len(rows))

    def __call__(self, pixels: Pixels, drawn: Drawn) -> Pixels:
        """Vary the photos, uint8 (N, height, width, 3)."""
        policy = getattr(self._of_thread, "policy", None)
        if policy is None:
            policy = self._of_thread.policy = _medium()
        varied = np.empty_like(pixels)
        for photo, out, seed in zip(pixels, varied, drawn.tolist(), strict=True):
            policy.set_random_seed(seed)
            out[:] = policy(image=photo)["image"]
        return varied


AUGMENTATIONS: dict[str, Callable[[], Augment | None]] = {
    "none": lambda: None,
    "light": Light,
    "medium": Medium,
}


def augmentation(name: Augmentation) -> Augment | None:
    """Return a way to vary photos, or None to show them as they are."""
    return AUGMENTATIONS[name]()


def _medium() -> A.Compose:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for newer versions
    import albumentations as A  # a second of imports, which the other augmentations do without
    import cv2

    return A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(
                scale=(0.75, 1.3),
                rotate=(-20, 20),
                shear=(-8, 8),
                translate_percent=(-0.1, 0.1),
                border_mode=cv2.BORDER_REPLICATE,
                p=0.9,
            ),
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
    )
