"""How training photos are varied. The only module that knows albumentations; only `train` loads it.

albumentations 2.0.8 is the last release under the MIT licence and gets no fixes, so everything
that depends on it stays behind `augmentation`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from maskkit.config import Augmentation
from maskkit.imaging.dataset import Augment, Pixels

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for newer versions

import albumentations as A
import cv2


def _light() -> A.Compose:
    """Return what a camera does anyway: mirror, small moves, other light, colour and focus.

    And a hidden patch: seven near-copies of each person are soon known by heart otherwise.
    """
    return A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(
                scale=(0.85, 1.2),
                rotate=(-12, 12),
                shear=(-4, 4),
                translate_percent=(-0.08, 0.08),
                border_mode=cv2.BORDER_REPLICATE,
                p=0.9,
            ),
            A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.25, p=0.8),
            A.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=30, val_shift_limit=0, p=0.4),
            A.ToGray(p=0.05),
            A.OneOf([A.GaussianBlur(blur_limit=(3, 3)), A.GaussNoise(std_range=(0.02, 0.06))], p=0.2),
            A.CoarseDropout(
                num_holes_range=(1, 1), hole_height_range=(0.1, 0.3), hole_width_range=(0.1, 0.3), p=0.3
            ),
        ]
    )


POLICIES: dict[str, Callable[[], A.Compose]] = {"none": lambda: A.Compose([]), "light": _light}


def augmentation(name: Augmentation) -> Augment:
    """Return a function of (pixels, seed) that varies a photo, the same way for the same seed.

    The seed comes with each photo, so what is drawn depends neither on the number of worker
    processes nor on whether the run was interrupted.
    """
    return partial(_vary, POLICIES[name]())  # a partial can be sent to worker processes, a closure cannot


def _vary(policy: A.Compose, pixels: Pixels, seed: int) -> Pixels:
    policy.set_random_seed(seed)
    varied: Pixels = policy(image=pixels)["image"]
    return varied
