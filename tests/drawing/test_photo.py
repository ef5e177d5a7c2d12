from functools import cache
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.drawing.people import population
from maskkit.drawing.photo import Portrait, draw_portrait, take_photo

PEOPLE = population(12, seed=5)


@cache
def portrait(number: int) -> Portrait:
    return draw_portrait(PEOPLE[number].look)


def photo(number: int, mask: str, seed: int = 0) -> NDArray[np.uint8]:
    return take_photo(portrait(number), mask=mask, random=np.random.default_rng([number, seed]))


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("mask", ["wear", "incorrect", "none"])
def test_takes_an_upright_colour_photo(mask: str) -> None:
    image = photo(0, mask)
    assert image.shape == (512, 384, 3)
    assert image.dtype == np.uint8
    assert 60 < image.mean() < 215
    assert image.std() > 25


def test_draws_the_same_photo_from_the_same_seed() -> None:
    again = take_photo(draw_portrait(PEOPLE[0].look), mask="wear", random=np.random.default_rng([0, 0]))
    assert np.array_equal(photo(0, "wear"), again)


def test_leaves_the_portrait_as_it_was() -> None:
    before = portrait(1).canvas.colour.copy()
    photo(1, "wear")
    assert np.array_equal(before, portrait(1).canvas.colour)


def test_keeps_photos_of_one_person_closer_than_those_of_two() -> None:
    photos = {number: [photo(number, "wear", seed) for seed in range(3)] for number in range(8)}
    same = [difference(*pair) for shots in photos.values() for pair in combinations(shots, 2)]
    other = [difference(photos[one][0], photos[two][1]) for one, two in combinations(photos, 2)]
    assert np.mean(same) < 0.75 * np.mean(other)


def test_never_takes_the_same_photo_twice() -> None:
    assert difference(photo(2, "none", 1), photo(2, "none", 2)) > 3


@pytest.mark.parametrize("number", range(6))
def test_covers_the_nose_only_with_a_mask_worn_well(number: int) -> None:
    """The camera is left out: the same light on the same canvas shows what the mask alone changes."""
    from maskkit.drawing.worn import put_on_mask

    bare = portrait(number)
    row, column = (int(value) for value in reversed(bare.skull.spot(0, bare.skull.nose - 6)))
    low = int(bare.skull.spot(0, 138)[1])
    for worn_well in (True, False):
        canvas = bare.canvas.copy()
        random = np.random.default_rng(number)
        put_on_mask(canvas, bare.skull, hair=bare.hair, worn_well=worn_well, random=random)
        change = np.abs(canvas.colour - bare.canvas.colour).max(axis=0)  # (512, 384)
        assert (change[row - 3 : row + 3, column - 3 : column + 3].mean() > 0.05) == worn_well
        assert change[low, column - 20 : column + 20].mean() > 0.05
