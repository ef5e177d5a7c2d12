from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from maskkit.config import Augmentation
from maskkit.imaging.augment import AUGMENTATIONS, augmentation
from maskkit.imaging.dataset import Augment
from maskkit.imaging.photos import Pixels

VARYING = [name for name in get_args(Augmentation) if name != "none"]


def photos(count: int, *, height: int = 40, width: int = 30) -> Pixels:
    """Draw photos that are dark on the left and bright on the right."""
    pixels = np.full((count, height, width, 3), 60, np.uint8)
    pixels[:, :, width // 2 :] = 180
    return pixels


def varied(augment: Augment, given: Pixels, *, seed: int = 0) -> Pixels:
    return augment(given, augment.draw(np.arange(len(given)), np.random.default_rng(seed)))


def made(name: Augmentation) -> Augment:
    augment = augmentation(name)
    assert augment is not None
    return augment


def test_every_name_that_the_options_allow_is_there() -> None:
    assert tuple(AUGMENTATIONS) == get_args(Augmentation)
    assert augmentation("none") is None


@pytest.mark.parametrize("name", VARYING)
@pytest.mark.parametrize("size", [(40, 30), (32, 32), (17, 65)])
def test_keeps_shape_and_type_and_leaves_the_given_pixels_alone(
    name: Augmentation, size: tuple[int, int]
) -> None:
    given = photos(40, height=size[0], width=size[1])
    found = varied(made(name), given)
    assert found.shape == given.shape
    assert found.dtype == np.uint8
    assert np.array_equal(given, photos(40, height=size[0], width=size[1]))


@pytest.mark.parametrize("name", VARYING)
def test_what_was_drawn_alone_decides_how_a_photo_looks(name: Augmentation) -> None:
    first, second = made(name), made(name)
    drawn = first.draw(np.arange(30), np.random.default_rng(3))
    together = first(photos(30), drawn)
    singly = [second(photos(1), drawn[row : row + 1])[0] for row in reversed(range(30))][::-1]
    assert np.array_equal(together, np.stack(singly))
    assert len({photo.tobytes() for photo in together}) > 25


@pytest.mark.parametrize("name", VARYING)
def test_mirrors_about_half_of_the_photos(name: Augmentation) -> None:
    found = varied(made(name), photos(400)).astype(float)
    mirrored = (found[:, :, :10].mean((1, 2, 3)) > found[:, :, -10:].mean((1, 2, 3))).sum()
    assert 160 <= mirrored <= 240  # four standard deviations


@pytest.mark.parametrize("name", VARYING)
def test_photos_are_varied_but_not_beyond_recognition(name: Augmentation) -> None:
    given = photos(1)[0].astype(float)
    likeness = []
    for photo in varied(made(name), photos(100)).astype(float):
        both = (photo, photo[:, ::-1])
        likeness.append(max(np.corrcoef(given.ravel(), other.ravel())[0, 1] for other in both))
    assert np.quantile(likeness, 0.02) > 0.4
    assert np.mean(likeness) < 0.99
