from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torchvision.transforms import InterpolationMode, v2

from maskkit.imaging.automatic import OPERATIONS, STRENGTHS, USUAL, WIDE, Extent, randaugment, trivial
from maskkit.imaging.photos import Pixels

# torchvision's names of the same changes, in our order.
THEIRS = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
          "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize"]  # fmt: skip
HOW = {"interpolation": InterpolationMode.BILINEAR, "fill": 128.0}


def photo(height: int = 40, width: int = 32) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def theirs(library: Any, name: str, strength: int, direction: int) -> Pixels:
    """Return what torchvision makes of the photo at this strength."""
    extent, signed = library._AUGMENTATION_SPACE[name]
    found = extent(STRENGTHS + 1, 40, 32)
    magnitude = 0.0 if found is None else float(found[strength])
    if signed:  # shifts are cut to whole pixels: 15.999999 is 16
        magnitude = (magnitude + 1e-5) * direction
    given = torch.from_numpy(photo()).permute(2, 0, 1)
    made = library._apply_image_or_video_transform(
        given, name, magnitude, HOW["interpolation"], library._fill
    )
    return made.permute(1, 2, 0).numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("number", range(14), ids=OPERATIONS)
@pytest.mark.parametrize(
    ("library", "extent"), [(v2.RandAugment(**HOW), USUAL), (v2.TrivialAugmentWide(**HOW), WIDE)]
)
def test_every_change_is_torchvisions_at_every_strength(number: int, library: Any, extent: Extent) -> None:
    change = list(OPERATIONS.values())[number]
    given = torch.from_numpy(photo()).permute(2, 0, 1)
    for strength in range(STRENGTHS + 1):
        is_sure = np.ones((40, 32, 3), bool)
        if THEIRS[number] == "Solarize":  # a pixel at the threshold is a matter of the last digit
            is_sure = np.abs(photo() - 255 * (1 - strength / STRENGTHS)) > 0.01
        for direction in (-1, 1):
            ours = change(given, direction * strength / STRENGTHS, extent).permute(1, 2, 0).numpy()
            expected = theirs(library, THEIRS[number], strength, direction)
            assert np.abs(ours.astype(int) - expected)[is_sure].max() <= 1


def test_randaugment_draws_every_change_as_often_and_always_the_given_strength() -> None:
    drawn = randaugment(ops=2, magnitude=9).draw(np.arange(7000), np.random.default_rng(0))
    assert drawn["operation"].shape == (7000, 2)
    assert chisquare(np.bincount(drawn["operation"].ravel(), minlength=14)).pvalue > 0.01
    assert set(drawn["strength"].ravel().tolist()) == {9}
    assert set(drawn["direction"].ravel().tolist()) == {-1, 1}
    assert abs(drawn["direction"].mean()) < 0.04
    assert abs(drawn["mirror"].mean() - 0.5) < 0.03


def test_trivial_draws_one_change_of_any_strength() -> None:
    drawn = trivial().draw(np.arange(9000), np.random.default_rng(0))
    assert drawn["operation"].shape == (9000, 1)
    assert chisquare(np.bincount(drawn["operation"].ravel(), minlength=14)).pvalue > 0.01
    assert chisquare(np.bincount(drawn["strength"].ravel(), minlength=31)).pvalue > 0.01


def test_changes_are_made_one_after_the_other() -> None:
    augment = randaugment(ops=3, magnitude=12)
    drawn = augment.draw(np.arange(20), np.random.default_rng(0))
    drawn["mirror"] = False
    operations = list(OPERATIONS.values())
    for found, one in zip(augment(np.stack([photo()] * 20), drawn), drawn, strict=True):
        expected = torch.from_numpy(photo()).permute(2, 0, 1)
        for number, direction in zip(one["operation"], one["direction"], strict=True):
            expected = operations[number](expected, direction * 12 / 30, USUAL)
        assert np.array_equal(found, expected.permute(1, 2, 0).numpy())


def test_nothing_drawn_is_the_photo_or_its_mirror_image() -> None:
    augment = randaugment(ops=0, magnitude=9)
    drawn = augment.draw(np.arange(2), np.random.default_rng(0))
    drawn["mirror"] = [False, True]
    found = augment(np.stack([photo()] * 2), drawn)
    assert np.array_equal(found[0], photo())
    assert np.array_equal(found[1], photo()[:, ::-1])


def test_what_is_uncovered_is_grey() -> None:
    augment = trivial()
    drawn = augment.draw(np.arange(1), np.random.default_rng(0))
    drawn["mirror"], drawn["direction"], drawn["strength"] = False, 1, 15
    drawn["operation"] = list(OPERATIONS).index("translate-x")
    found = augment(photo()[None], drawn)[0]
    assert (found[:, :16] == 128).all()  # half of 32 pixels
    assert np.array_equal(found[:, 16:], photo()[:, :16])
