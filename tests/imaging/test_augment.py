from __future__ import annotations

import pickle
from typing import get_args

import numpy as np
import pytest

from maskkit.config import Augmentation
from maskkit.imaging.augment import POLICIES, augmentation
from maskkit.imaging.dataset import Pixels


def photo(*, height: int = 40, width: int = 30) -> Pixels:
    """Draw a photo that is dark on its left and bright on its right."""
    pixels = np.full((height, width, 3), 60, np.uint8)
    pixels[:, width // 2 :] = 180
    return pixels


def test_every_name_that_the_options_allow_is_a_policy() -> None:
    assert set(POLICIES) == set(get_args(Augmentation))


def test_none_is_the_identity() -> None:
    augment = augmentation("none")
    for seed in range(5):
        assert np.array_equal(augment(photo(), seed), photo())


@pytest.mark.parametrize("name", sorted(POLICIES))
@pytest.mark.parametrize("size", [(40, 30), (32, 32), (17, 65)])
def test_keeps_shape_and_type_and_leaves_the_given_pixels_alone(
    name: Augmentation, size: tuple[int, int]
) -> None:
    augment, given = augmentation(name), photo(height=size[0], width=size[1])
    for seed in range(40):
        varied = augment(given, seed)
        assert varied.shape == given.shape
        assert varied.dtype == np.uint8
    assert np.array_equal(given, photo(height=size[0], width=size[1]))


def test_the_seed_alone_decides_what_is_drawn() -> None:
    first, second = augmentation("light"), augmentation("light")
    drawn = [first(photo(), seed) for seed in range(30)]
    again = [second(photo(), seed) for seed in reversed(range(30))][::-1]
    assert all(np.array_equal(one, other) for one, other in zip(drawn, again, strict=True))
    assert len({varied.tobytes() for varied in drawn}) > 25


def test_can_be_sent_to_worker_processes() -> None:
    augment = augmentation("light")
    sent = pickle.loads(pickle.dumps(augment))
    assert np.array_equal(sent(photo(), 3), augment(photo(), 3))


def test_mirrors_about_half_of_the_photos() -> None:
    augment = augmentation("light")
    mirrored = 0
    for seed in range(400):
        varied = augment(photo(), seed).astype(float)
        mirrored += varied[:, :10].mean() > varied[:, -10:].mean()
    assert 160 <= mirrored <= 240  # four standard deviations


def test_a_photo_is_varied_but_not_beyond_recognition() -> None:
    augment = augmentation("light")
    given = photo().astype(float)
    for seed in range(100):
        varied = augment(photo(), seed).astype(float)
        likeness = [np.corrcoef(given.ravel(), other.ravel())[0, 1] for other in (varied, varied[:, ::-1])]
        assert max(likeness) > 0.4
