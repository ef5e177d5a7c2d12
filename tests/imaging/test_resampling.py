from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.dataset import batches, sampled, shuffled
from maskkit.imaging.light import Light
from maskkit.imaging.photos import Photos
from maskkit.imaging.resampling import Oversample, Undersample, epoch_rows, oversample, undersample
from maskkit.imaging.samplers import balanced, weighted

# 30 people with seven photos each: five with a mask (class 0), one worn wrongly (1), one without (2).
PEOPLE = np.repeat(np.arange(30), 7)
CLASSES = np.tile([0, 0, 0, 0, 0, 1, 2], 30)
MASKED = CLASSES == 0
OLD = PEOPLE >= 27
TRAINING = np.flatnonzero(PEOPLE % 3 != 1)  # 20 people, two of them old


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_keeps_so_many_photos_of_the_level_per_person_and_all_others() -> None:
    left = undersample(TRAINING, random(), people=PEOPLE, is_level=MASKED, keep=2)
    assert set(left.tolist()) <= set(TRAINING.tolist())
    assert left.tolist() == sorted(left.tolist())  # in the order given
    for person in set(PEOPLE[TRAINING].tolist()):
        classes = CLASSES[left[PEOPLE[left] == person]]
        assert np.bincount(classes).tolist() == [2, 1, 1]


def test_draws_anew_which_ones_and_each_as_often() -> None:
    times = np.zeros(len(PEOPLE), int)
    for seed in range(2000):
        times[undersample(TRAINING, random(seed), people=PEOPLE, is_level=MASKED, keep=2)] += 1
    masked = times[TRAINING][MASKED[TRAINING]]
    assert np.abs(masked / 2000 - 2 / 5).max() < 0.05  # 4.5 standard deviations
    assert (times[TRAINING][~MASKED[TRAINING]] == 2000).all()


def test_a_person_with_fewer_photos_keeps_them_and_nobody_known_is_a_person_each() -> None:
    rows = np.arange(6)
    people = np.array([0, 0, 0, 1, -1, -1])
    left = undersample(rows, random(), people=people, is_level=np.ones(6, bool), keep=2)
    assert len(left) == 5
    assert {3, 4, 5} <= set(left.tolist())


def test_keeping_none_leaves_the_level_out() -> None:
    left = undersample(TRAINING, random(), people=PEOPLE, is_level=MASKED, keep=0)
    assert set(CLASSES[left].tolist()) == {1, 2}


def test_the_order_of_the_rows_makes_no_difference_to_how_many_are_kept() -> None:
    mixed = random(1).permutation(TRAINING)
    left = undersample(mixed, random(), people=PEOPLE, is_level=MASKED, keep=3)
    assert np.bincount(CLASSES[left]).tolist() == [60, 20, 20]


def test_oversampling_shows_a_level_so_many_times() -> None:
    more = oversample(TRAINING, is_level=OLD, times=3)
    times = np.bincount(more, minlength=len(PEOPLE))
    assert (times[TRAINING] == np.where(OLD[TRAINING], 3, 1)).all()
    assert times.sum() == times[TRAINING].sum()
    assert np.array_equal(oversample(TRAINING, is_level=OLD, times=1), TRAINING)


def test_by_default_an_epoch_is_what_shuffling_gives() -> None:
    order = sampled(TRAINING, partial(epoch_rows, classes=CLASSES), seed=3, epoch=2)
    assert np.array_equal(order.rows, shuffled(TRAINING, seed=3, epoch=2).rows)


def test_an_epoch_is_always_as_long() -> None:
    def lengths(**how: object) -> set[int]:
        epochs = (random(seed) for seed in range(20))
        return {
            len(epoch_rows(TRAINING, epoch, classes=CLASSES, people=PEOPLE, **how))  # type: ignore[arg-type]
            for epoch in epochs
        }

    fewer, more = (Undersample(MASKED, 2),), (Oversample(OLD, 3),)
    assert lengths() == {140}
    assert lengths(undersampled=fewer) == {80}
    old = int(OLD[TRAINING].sum()) // 7
    assert lengths(undersampled=fewer, oversampled=more) == {80 + 2 * 4 * old}
    assert lengths(undersampled=fewer, oversampled=more, sampler=weighted) == {80 + 2 * 4 * old}
    assert lengths(undersampled=fewer, sampler=partial(balanced, length=33)) == {33}


def test_the_sampler_draws_from_what_is_left_by_the_counts_of_that() -> None:
    drawn = epoch_rows(
        TRAINING, random(), classes=CLASSES, people=PEOPLE,
        undersampled=[Undersample(MASKED, 1)], oversampled=[Oversample(CLASSES == 2, 4)],
        sampler=partial(weighted, length=9000),
    )  # fmt: skip
    assert np.bincount(CLASSES[drawn]) == pytest.approx([3000] * 3, abs=200)
    assert len(set(drawn[CLASSES[drawn] == 0].tolist())) == 20  # one photo of each person


def test_several_levels_are_left_out_one_after_the_other() -> None:
    fewer = [Undersample(MASKED, 4), Undersample(OLD, 3), Undersample(MASKED, 4)]
    drawn = epoch_rows(TRAINING, random(), classes=CLASSES, people=PEOPLE, undersampled=fewer)
    per_person = np.bincount(PEOPLE[drawn])
    assert set(per_person[per_person > 0].tolist()) == {3, 6}


def test_never_shows_a_row_that_it_was_not_given() -> None:
    for sampler in (weighted, balanced):
        drawn = epoch_rows(
            TRAINING, random(), classes=CLASSES, people=PEOPLE,
            undersampled=[Undersample(MASKED, 1)], oversampled=[Oversample(OLD, 9)], sampler=sampler,
        )  # fmt: skip
        assert set(drawn.tolist()) <= set(TRAINING.tolist())


def test_undersampling_without_people_is_an_error() -> None:
    with pytest.raises(ValueError, match="people"):
        epoch_rows(TRAINING, random(), classes=CLASSES, undersampled=[Undersample(MASKED, 1)])


def test_a_sampled_epoch_is_the_same_whatever_the_number_of_workers() -> None:
    pixels = random().integers(0, 256, (len(PEOPLE), 24, 16, 3), np.uint8)
    photos = Photos.of_pixels(pixels, Preprocess(24, 16, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    how = partial(
        epoch_rows, classes=CLASSES, people=PEOPLE, undersampled=[Undersample(MASKED, 2)],
        oversampled=[Oversample(OLD, 3)], sampler=balanced,
    )  # fmt: skip
    runs = []
    for workers in (0, 1, 4):
        order = sampled(TRAINING, how, seed=5, epoch=1, augment=Light())
        runs.append(list(batches(photos, order, batch_size=9, workers=workers)))
    for run in runs[1:]:
        for (rows, values), (first_rows, first_values) in zip(run, runs[0], strict=True):
            assert torch.equal(rows, first_rows)
            assert torch.equal(values, first_values)


def test_a_photo_that_comes_twice_is_varied_anew() -> None:
    pixels = random().integers(0, 256, (3, 24, 16, 3), np.uint8)
    photos = Photos.of_pixels(pixels, Preprocess(24, 16, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    how = partial(epoch_rows, classes=np.zeros(3, int), oversampled=[Oversample(np.ones(3, bool), 2)])
    order = sampled(np.arange(3), how, seed=0, epoch=1, augment=Light())
    ((rows, values),) = batches(photos, order, batch_size=6, workers=0)
    first, second = np.flatnonzero(rows.numpy() == 0)
    assert not torch.equal(values[first], values[second])
