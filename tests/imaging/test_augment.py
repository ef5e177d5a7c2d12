from __future__ import annotations

import numpy as np
import pytest
import torch

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.augment import AUGMENTATIONS, ByClass, augmentation
from maskkit.imaging.dataset import Augment, batches, shuffled
from maskkit.imaging.light import Light
from maskkit.imaging.photos import Photos, Pixels
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import AUGMENTATIONS as TABLE

POLICIES = ["light", "medium", "strong", "randaugment", "trivial"]
SINGLES = [name for name in TABLE if name not in ("none", *POLICIES)]
SUMS = ["light+grid-shuffle:p=0.3", "randaugment+coarse-dropout:p=0.9", "affine+colour+jpeg:p=1"]


def photos(count: int, *, height: int = 40, width: int = 30) -> Pixels:
    """Draw photos that are dark on the left and bright on the right."""
    pixels = np.full((count, height, width, 3), 60, np.uint8)
    pixels[:, :, width // 2 :] = 180
    return pixels


def patterns(count: int = 1, *, height: int = 48, width: int = 36) -> Pixels:
    """Draw photos in which no pixel is like its neighbours, none white or black; all the same."""
    pixel = np.random.default_rng(1).integers(40, 216, (height, width, 3), np.uint8)
    return np.repeat(pixel[None], count, axis=0)


def chosen(text: str) -> Augment | None:
    return augmentation(parse_sum(text, TABLE, option="--augment"))


def made(text: str) -> Augment:
    augment = chosen(text)
    assert augment is not None
    return augment


def varied(augment: Augment, given: Pixels, *, seed: int = 0) -> Pixels:
    return augment(given, augment.draw(np.arange(len(given)), np.random.default_rng(seed)))


def test_there_is_a_way_for_every_name_that_can_be_chosen() -> None:
    assert set(AUGMENTATIONS) == set(TABLE)
    assert chosen("none") is None


def test_light_alone_stays_the_quick_way_that_it_was() -> None:
    assert type(chosen("light")) is Light
    assert type(chosen("none+light")) is Light


@pytest.mark.parametrize("text", [*POLICIES, *SINGLES, *SUMS])
@pytest.mark.parametrize("size", [(40, 30), (32, 32), (17, 65), (16, 16)])
def test_keeps_shape_and_type_and_leaves_the_given_pixels_alone(text: str, size: tuple[int, int]) -> None:
    given = photos(40, height=size[0], width=size[1])
    found = varied(made(text), given)
    assert found.shape == given.shape
    assert found.dtype == np.uint8
    assert np.array_equal(given, photos(40, height=size[0], width=size[1]))


@pytest.mark.parametrize("text", [*POLICIES, *SINGLES, *SUMS])
def test_what_was_drawn_alone_decides_how_a_photo_looks(text: str) -> None:
    first, second = made(text), made(text)
    torch.manual_seed(1)
    drawn = first.draw(np.arange(30), np.random.default_rng(3))
    together = first(patterns(30), drawn)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002 - what a library might draw from
    singly = [second(patterns(), drawn[[row]])[0] for row in reversed(range(30))][::-1]
    assert np.array_equal(together, np.stack(singly))


@pytest.mark.parametrize("text", [*POLICIES, *SUMS])
def test_photos_of_the_same_pixels_are_varied_each_in_its_own_way(text: str) -> None:
    assert len({photo.tobytes() for photo in varied(made(text), patterns(30))}) > 20


@pytest.mark.parametrize("text", [*POLICIES, *SINGLES, *SUMS])
def test_the_same_seed_draws_the_same_and_another_does_not(text: str) -> None:
    first, again, other = (
        made(text).draw(np.arange(20), np.random.default_rng(seed)).tobytes() for seed in (4, 4, 5)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("text", [*POLICIES, *SUMS])
def test_what_was_drawn_for_each_photo_can_be_joined(text: str) -> None:
    augment = made(text)
    parts = [augment.draw(np.array([row]), np.random.default_rng(row)) for row in range(6)]
    together = augment(patterns(6), np.concatenate(parts))
    for row, part in enumerate(parts):
        assert np.array_equal(together[row], augment(patterns(), part)[0])


@pytest.mark.parametrize("text", ["strong", "randaugment", "trivial", "light+grid-shuffle:p=0.3"])
def test_batches_are_the_same_whatever_the_number_of_workers(text: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 24, 3), np.uint8)
    inputs = Photos.of_pixels(pixels, Preprocess(32, 24, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    order = shuffled(np.arange(24), seed=3, epoch=1, augment=chosen(text))
    runs = [list(batches(inputs, order, batch_size=5, workers=workers)) for workers in (0, 1, 4)]
    for run in runs[1:]:
        for (rows, values), (first_rows, first_values) in zip(run, runs[0], strict=True):
            assert torch.equal(rows, first_rows)
            assert torch.equal(values, first_values)


@pytest.mark.parametrize("text", POLICIES)
def test_policies_mirror_about_half_of_the_photos(text: str) -> None:
    found = varied(made(text), photos(400)).astype(float)
    mirrored = (found[:, :, :10].mean((1, 2, 3)) > found[:, :, -10:].mean((1, 2, 3))).sum()
    assert 150 <= mirrored <= 250  # five standard deviations


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("light", 0.4, 0.99), ("medium", 0.4, 0.99), ("strong", 0.1, 0.95), ("randaugment", 0.0, 0.99)],
)
def test_photos_are_varied_but_not_beyond_recognition(text: str, least: float, most: float) -> None:
    given = photos(1)[0].astype(float)
    likeness = []
    for photo in varied(made(text), photos(100)).astype(float):
        both = (photo, photo[:, ::-1])
        with np.errstate(invalid="ignore"):  # a photo of one colour is like nothing
            likeness.append(max(np.nan_to_num(np.corrcoef(given.ravel(), one.ravel())[0, 1]) for one in both))
    assert np.quantile(likeness, 0.03) > least
    assert np.mean(likeness) < most


def test_policies_are_the_stronger_the_further_down_the_list() -> None:
    given = patterns(200, height=64, width=48)
    smooth = np.repeat(np.repeat(given[:, ::16, ::16], 16, axis=1), 16, axis=2)
    changes = [np.abs(varied(made(text), smooth).astype(float) - smooth).mean() for text in POLICIES[:3]]
    assert changes == sorted(changes)


@pytest.mark.parametrize("name", SINGLES)
def test_single_changes_happen_as_often_as_they_should(name: str) -> None:
    given = patterns(300)
    for chance in (0.0, 0.4, 1.0):
        found = varied(made(f"{name}:p={chance}"), given)
        share = np.mean([not np.array_equal(photo, given[0]) for photo in found])
        assert abs(share - chance) < 0.12  # four standard deviations


def test_grid_shuffling_moves_whole_cells() -> None:
    given = patterns(20)
    found = varied(made("grid-shuffle:grid=3,p=1"), given)
    rows, columns = np.arange(0, 48, 16), np.arange(0, 36, 12)
    cells = {given[0, y : y + 16, x : x + 12].tobytes() for y in rows for x in columns}
    for photo in found:
        assert {photo[y : y + 16, x : x + 12].tobytes() for y in rows for x in columns} == cells


def test_a_sum_makes_each_change_after_the_one_before() -> None:
    given = patterns(30)
    both = made("affine:p=1+jpeg:p=1")
    drawn = both.draw(np.arange(30), np.random.default_rng(0))
    random = np.random.default_rng(0)
    first, second = made("affine:p=1"), made("jpeg:p=1")
    once, twice = (part.draw(np.arange(30), random) for part in (first, second))
    assert np.array_equal(both(given, drawn), second(first(given, once), twice))


ROWS = np.array([5, 0, 7, 3, 9, 2])
RARE = np.isin(np.arange(10), [0, 3, 4])  # of the manifest's rows


def test_the_rare_are_varied_otherwise_and_the_others_as_without_that() -> None:
    given = patterns(6)
    usual, rare = made("light"), made("grid-shuffle:p=1")
    both = ByClass(usual, rare, RARE)
    found = both(given, both.draw(ROWS, np.random.default_rng(3)))
    expected = usual(given, usual.draw(ROWS, np.random.default_rng(3)))
    is_rare = RARE[ROWS]
    assert is_rare.tolist() == [False, True, False, True, False, False]
    assert np.array_equal(found[~is_rare], expected[~is_rare])
    for photo in found[is_rare]:
        assert sorted(photo.ravel()) == sorted(given[0].ravel())  # shuffled, nothing else


@pytest.mark.parametrize("name", ["usual", "rare"])
def test_either_may_be_shown_as_they_are(name: str) -> None:
    given, light = patterns(6), made("light")
    both = ByClass(None if name == "usual" else light, None if name == "rare" else light, RARE)
    found = both(given, both.draw(ROWS, np.random.default_rng(3)))
    is_same = np.array([np.array_equal(photo, given[0]) for photo in found])
    assert np.array_equal(is_same, RARE[ROWS] if name == "rare" else ~RARE[ROWS])


def test_what_is_drawn_for_the_rare_can_be_divided_and_joined() -> None:
    given = patterns(6)
    both = ByClass(made("light+jpeg"), made("randaugment"), RARE)
    drawn = both.draw(ROWS, np.random.default_rng(3))
    singly = [both(given[[place]], drawn[[place]])[0] for place in range(6)]
    assert np.array_equal(both(given, np.concatenate([drawn[:2], drawn[2:]])), np.stack(singly))
