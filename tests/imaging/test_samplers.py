from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from maskkit.imaging.dataset import Rows
from maskkit.imaging.samplers import SAMPLERS, balanced, shuffle, smote, sqrt, weighted
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
