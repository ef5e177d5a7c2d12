from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.dataset import Rows, batches, shuffled, varied
from maskkit.imaging.light import Light
from maskkit.imaging.photos import Photos
from maskkit.imaging.sampling import (
    SAMPLERS,
    Oversample,
    Undersample,
    balanced,
    epoch_rows,
    shuffle,
    smote,
    sqrt,
    weighted,
)
from maskkit.options.choices import parse
from maskkit.options.techniques import SAMPLERS as TABLE

WITH_LENGTH = [name for name, settings in TABLE.items() if "length" in settings]

COUNTS = np.array([400, 90, 10])
CLASSES = np.repeat([0, 1, 2], COUNTS)
ROWS = 1000 + 3 * np.arange(500)  # numbers of a manifest of which more is not trained on


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def shown(drawn: Rows) -> np.ndarray:
    """Return how often each row was drawn, (500,)."""
    times = np.bincount(drawn, minlength=ROWS[-1] + 1)
    assert times.sum() == times[ROWS].sum()  # no row that was not given
    return times[ROWS]


def of_class(times: np.ndarray) -> np.ndarray:
    return np.bincount(CLASSES, times)


def test_the_default_order_is_the_one_that_was_drawn_before_there_were_samplers() -> None:
    drawn = shuffle(np.arange(100, 120), np.zeros(20, int), np.random.default_rng((3, 2)))
    expected = [
        119,
        102,
        109,
        116,
        100,
        104,
        112,
        113,
        101,
        107,
        103,
        106,
        105,
        118,
        110,
        117,
        108,
        114,
        111,
        115,
    ]
    assert drawn.tolist() == expected  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_there_is_a_sampler_for_every_name_that_can_be_chosen_and_it_takes_every_setting(name: str) -> None:
    assert list(SAMPLERS) == list(TABLE)
    drawn = SAMPLERS[name](ROWS, CLASSES, random(), **parse(name, TABLE, option="--sampler").settings)
    assert np.array_equal(drawn, SAMPLERS[name](ROWS, CLASSES, random()))  # the same defaults


def test_where_features_are_made_up_each_row_is_shown_once() -> None:
    assert np.array_equal(smote(ROWS, CLASSES, random()), shuffle(ROWS, CLASSES, random()))


def test_shuffling_shows_each_row_once_or_equally_often() -> None:
    assert (shown(shuffle(ROWS, CLASSES, random())) == 1).all()
    assert (shown(shuffle(ROWS, CLASSES, random(), length=1500)) == 3).all()
    some = shown(shuffle(ROWS, CLASSES, random(), length=1300))
    assert np.bincount(some).tolist() == [0, 0, 200, 300]
    assert shown(shuffle(ROWS, CLASSES, random(), length=40)).max() == 1


@pytest.mark.parametrize(
    ("sampler", "share"),
    [
        (weighted, np.full(3, 1 / 3)),
        (sqrt, np.sqrt(COUNTS) / np.sqrt(COUNTS).sum()),
    ],
)
def test_rows_are_drawn_as_often_as_the_formula_says(sampler: type, share: np.ndarray) -> None:
    times = shown(sampler(ROWS, CLASSES, random(1), length=60_000))
    chance = (share / COUNTS)[CLASSES]
    assert chisquare(of_class(times), 60_000 * share).pvalue > 0.01
    assert chisquare(times, 60_000 * chance).pvalue > 0.01  # and no row of a class more than another


def test_the_square_root_lies_between_the_counts_and_every_class_alike() -> None:
    share = of_class(shown(sqrt(ROWS, CLASSES, random(), length=60_000))) / 60_000
    assert share == pytest.approx([20 / 32.649, 9.4868 / 32.649, 3.1623 / 32.649], abs=0.01)


def test_a_drawn_epoch_repeats_the_rare_and_misses_some_of_the_frequent() -> None:
    times = shown(weighted(ROWS, CLASSES, random()))
    assert times.sum() == 500
    assert times[CLASSES == 2].min() > 5
    assert (times[CLASSES == 0] == 0).sum() > 200


@pytest.mark.parametrize("length", [0, 1, 2, 3, 299, 300, 500, 1201])
def test_balanced_shows_classes_and_the_photos_of_a_class_equally_often(length: int) -> None:
    times = shown(balanced(ROWS, CLASSES, random(), length=length))
    assert times.sum() == (length or 500)
    assert np.ptp(of_class(times)) <= 1
    for one in range(3):
        assert np.ptp(times[one == CLASSES]) <= 1


def test_balanced_gives_the_rest_to_other_classes_in_other_epochs() -> None:
    with_more = {of_class(shown(balanced(ROWS, CLASSES, random(seed)))).argmin().item() for seed in range(20)}
    assert with_more == {0, 1, 2}


def test_balanced_mixes_the_classes() -> None:
    order = balanced(ROWS, CLASSES, random(), length=900)
    first = CLASSES[(order[:300] - 1000) // 3]
    assert np.bincount(first, minlength=3).min() > 70


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_generator_alone_decides_and_nothing_given_is_changed(name: str) -> None:
    rows, classes = ROWS.copy(), CLASSES.copy()
    first, again, other = (SAMPLERS[name](rows, classes, random(seed)) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == rows.dtype
    assert np.array_equal(rows, ROWS)
    assert np.array_equal(classes, CLASSES)


@pytest.mark.parametrize("name", WITH_LENGTH)
@pytest.mark.parametrize("length", [0, 7, 1234])
def test_an_epoch_is_as_long_as_asked_or_as_there_are_rows(name: str, length: int) -> None:
    for seed in range(3):
        assert len(SAMPLERS[name](ROWS, CLASSES, random(seed), length=length)) == (length or 500)


@pytest.mark.parametrize("name", WITH_LENGTH)
def test_classes_that_are_absent_and_no_rows_at_all_are_no_trouble(name: str) -> None:
    few = SAMPLERS[name](np.array([8, 3, 5]), np.array([17, 17, 4]), random(), length=60)
    assert set(few.tolist()) == {8, 3, 5}
    assert SAMPLERS[name](ROWS[:0], CLASSES[:0], random()).tolist() == []


# 30 people with seven photos each: five with a mask (class 0), one worn wrongly (1), one without (2).
PEOPLE = np.repeat(np.arange(30), 7)
WORN = np.tile([0, 0, 0, 0, 0, 1, 2], 30)
MASKED = WORN == 0
OLD = PEOPLE >= 27
TRAINING = np.flatnonzero(PEOPLE % 3 != 1)  # 20 people, two of them old


def test_keeps_so_many_photos_of_the_level_per_person_and_all_others() -> None:
    left = Undersample(MASKED, 2)(TRAINING, random(), PEOPLE)
    assert set(left.tolist()) <= set(TRAINING.tolist())
    assert left.tolist() == sorted(left.tolist())  # in the order given
    for person in set(PEOPLE[TRAINING].tolist()):
        classes = WORN[left[PEOPLE[left] == person]]
        assert np.bincount(classes).tolist() == [2, 1, 1]


def test_draws_anew_which_ones_and_each_as_often() -> None:
    times = np.zeros(len(PEOPLE), int)
    for seed in range(2000):
        times[Undersample(MASKED, 2)(TRAINING, random(seed), PEOPLE)] += 1
    masked = times[TRAINING][MASKED[TRAINING]]
    assert np.abs(masked / 2000 - 2 / 5).max() < 0.05  # 4.5 standard deviations
    assert (times[TRAINING][~MASKED[TRAINING]] == 2000).all()


def test_a_person_with_fewer_photos_keeps_them_and_nobody_known_is_a_person_each() -> None:
    rows = np.arange(6)
    people = np.array([0, 0, 0, 1, -1, -1])
    left = Undersample(np.ones(6, bool), 2)(rows, random(), people)
    assert len(left) == 5
    assert {3, 4, 5} <= set(left.tolist())


def test_keeping_none_leaves_the_level_out() -> None:
    left = Undersample(MASKED, 0)(TRAINING, random(), PEOPLE)
    assert set(WORN[left].tolist()) == {1, 2}


def test_the_order_of_the_rows_makes_no_difference_to_how_many_are_kept() -> None:
    mixed = random(1).permutation(TRAINING)
    left = Undersample(MASKED, 3)(mixed, random(), PEOPLE)
    assert np.bincount(WORN[left]).tolist() == [60, 20, 20]


def test_oversampling_shows_a_level_so_many_times() -> None:
    more = Oversample(OLD, 3)(TRAINING)
    times = np.bincount(more, minlength=len(PEOPLE))
    assert (times[TRAINING] == np.where(OLD[TRAINING], 3, 1)).all()
    assert times.sum() == times[TRAINING].sum()
    assert np.array_equal(Oversample(OLD, 1)(TRAINING), TRAINING)


def test_by_default_an_epoch_is_what_shuffling_gives() -> None:
    rows = epoch_rows(TRAINING, np.random.default_rng((3, 2)), classes=WORN)
    assert np.array_equal(rows, shuffled(TRAINING, seed=3, epoch=2).rows)


def test_an_epoch_is_always_as_long() -> None:
    def lengths(**how: object) -> set[int]:
        epochs = (random(seed) for seed in range(20))
        return {
            len(epoch_rows(TRAINING, epoch, classes=WORN, people=PEOPLE, **how))  # type: ignore[arg-type]
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
        TRAINING, random(), classes=WORN, people=PEOPLE,
        undersampled=[Undersample(MASKED, 1)], oversampled=[Oversample(WORN == 2, 4)],
        sampler=partial(weighted, length=9000),
    )  # fmt: skip
    assert np.bincount(WORN[drawn]) == pytest.approx([3000] * 3, abs=200)
    assert len(set(drawn[WORN[drawn] == 0].tolist())) == 20  # one photo of each person


def test_several_levels_are_left_out_one_after_the_other() -> None:
    fewer = [Undersample(MASKED, 4), Undersample(OLD, 3), Undersample(MASKED, 4)]
    drawn = epoch_rows(TRAINING, random(), classes=WORN, people=PEOPLE, undersampled=fewer)
    per_person = np.bincount(PEOPLE[drawn])
    assert set(per_person[per_person > 0].tolist()) == {3, 6}


def test_never_shows_a_row_that_it_was_not_given() -> None:
    for sampler in (weighted, balanced):
        drawn = epoch_rows(
            TRAINING, random(), classes=WORN, people=PEOPLE,
            undersampled=[Undersample(MASKED, 1)], oversampled=[Oversample(OLD, 9)], sampler=sampler,
        )  # fmt: skip
        assert set(drawn.tolist()) <= set(TRAINING.tolist())


def test_undersampling_without_people_is_an_error() -> None:
    with pytest.raises(ValueError, match="people"):
        epoch_rows(TRAINING, random(), classes=WORN, undersampled=[Undersample(MASKED, 1)])


def test_a_sampled_epoch_is_the_same_whatever_the_number_of_workers() -> None:
    pixels = random().integers(0, 256, (len(PEOPLE), 24, 16, 3), np.uint8)
    photos = Photos.of_pixels(pixels, Preprocess(24, 16, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    how = partial(
        epoch_rows, classes=WORN, people=PEOPLE, undersampled=[Undersample(MASKED, 2)],
        oversampled=[Oversample(OLD, 3)], sampler=balanced,
    )  # fmt: skip
    runs = []
    for workers in (0, 1, 4):
        epoch = random(5)
        order = varied(how(TRAINING, epoch), Light(), epoch)
        runs.append(list(batches(photos, order, batch_size=9, workers=workers)))
    for run in runs[1:]:
        for (rows, values), (first_rows, first_values) in zip(run, runs[0], strict=True):
            assert torch.equal(rows, first_rows)
            assert torch.equal(values, first_values)


def test_a_photo_that_comes_twice_is_varied_anew() -> None:
    pixels = random().integers(0, 256, (3, 24, 16, 3), np.uint8)
    photos = Photos.of_pixels(pixels, Preprocess(24, 16, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    how = partial(epoch_rows, classes=np.zeros(3, int), oversampled=[Oversample(np.ones(3, bool), 2)])
    epoch = random()
    order = varied(how(np.arange(3), epoch), Light(), epoch)
    ((rows, values),) = batches(photos, order, batch_size=6, workers=0)
    first, second = np.flatnonzero(rows.numpy() == 0)
    assert not torch.equal(values[first], values[second])
