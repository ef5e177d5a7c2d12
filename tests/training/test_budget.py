"""The planner, on speeds that are given to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.options.values import parse_duration
from maskkit.training.budget import (
    RESERVE,
    Forecast,
    Pace,
    Paces,
    between,
    choose,
    in_words,
    overrun,
    pixels_of,
)

LISTED = [
    TrainOptions(size=size, epochs=epochs)
    for size, epochs in (("128x96", 8), ("128x96", 4), ("96x72", 4), ("64x48", 2), ("64x48", 1))
]
TIMES = st.floats(0.001, 1000)
MICROSECONDS = st.floats(10, 10_000)


def by_pixels(each: float, *, ready: float = 1.0, start: float = 1.0) -> Paces:
    """Return paces of which an epoch takes so many seconds per pixel."""
    paces = Paces()
    for one in LISTED:
        paces.note(one, Pace(ready, ready, start, each * pixels_of(one)))
    return paces


def chosen(paces: Paces, seconds: float, **more: float) -> Forecast | None:
    try:
        return choose(
            LISTED, paces.of, seconds=seconds, spent=more.get("spent", 0), folds=int(more.get("folds", 1))
        )
    except MaskkitError:
        return None


def test_takes_the_first_that_fits_with_a_reserve() -> None:
    paces = by_pixels(1 / 64 / 48)  # epochs of 4, 2.25 and 1 s
    enough = (2 + 8 * 4) / (1 - RESERVE)
    assert [
        one.options.epochs * pixels_of(one.options) // (64 * 48)
        for seconds in (enough + 0.01, enough - 0.01, 15, 11, 5)
        if (one := chosen(paces, seconds))
    ] == [32, 16, 9, 2, 2]


@given(MICROSECONDS, TIMES, TIMES, st.floats(0, 100), st.integers(1, 10))
def test_more_time_never_gives_a_lower_rung(
    each: float, seconds: float, more: float, spent: float, folds: int
) -> None:
    paces = by_pixels(each / 1e6)
    less, longer = (chosen(paces, time, spent=spent, folds=folds) for time in (seconds, seconds + more))
    if less is not None:
        assert longer is not None
        assert LISTED.index(longer.options) <= LISTED.index(less.options)


@given(MICROSECONDS, TIMES, TIMES, st.floats(0, 100), st.integers(1, 10))
def test_never_foresees_more_than_the_budget(
    each: float, start: float, seconds: float, spent: float, folds: int
) -> None:
    found = chosen(by_pixels(each / 1e6, start=start), seconds, spent=spent, folds=folds)
    if found is not None:
        assert spent + found.seconds < seconds
        assert found.seconds == found.pace.seconds(found.options.epochs, folds)


@given(MICROSECONDS, st.floats(0, 100), st.integers(1, 10))
def test_the_budget_that_it_advises_is_enough(each: float, spent: float, folds: int) -> None:
    paces = by_pixels(each / 1e6)
    with pytest.raises(MaskkitError, match="ends in 1s here") as caught:
        choose(LISTED, paces.of, seconds=1, spent=spent, folds=folds)
    advised = parse_duration(caught.value.fix.split()[2].strip(","))
    assert chosen(paces, advised, spent=spent, folds=folds) is not None


def test_photos_are_made_ready_once_for_all_folds() -> None:
    assert Pace(ready=100, cold=100, start=10, epoch=1).seconds(5, 3) == 100 + 3 * 15


def test_names_the_least_that_would_do() -> None:
    with pytest.raises(MaskkitError) as caught:
        choose(LISTED, by_pixels(0.01).of, seconds=20, spent=4, folds=2)
    assert str(caught.value.what) == "no training of 2 folds ends in 20s here"
    assert "1 epoch of 64x48, takes 1m4s, after 4s for reading and measuring" in caught.value.why
    assert "--budget 1m20s" in caught.value.fix


def test_a_pace_depends_on_neither_epochs_nor_rate_but_on_all_else() -> None:
    paces, one = Paces(), LISTED[0]
    paces.note(one, Pace(1, 1, 1, 1))
    assert paces.is_measured(replace(one, epochs=99, learning_rate=1e-4))
    assert not paces.is_measured(replace(one, size="64"))
    assert not paces.is_measured(replace(one, head="joint"))


def test_other_sizes_follow_from_those_that_were_measured() -> None:
    known = {100: Pace(0, 2, 1, 10), 200: Pace(0, 4, 1, 30)}
    assert between(150, known) == Pace(3, 3, 1, 20)
    assert between(400, known) == Pace(8, 8, 2, 60)
    assert between(50, known) == Pace(2, 2, 1, 10)  # rather too long


def test_a_size_that_was_not_looked_at_counts_as_not_decoded() -> None:
    paces = Paces()
    paces.note(LISTED[-1], Pace(ready=0, cold=5, start=1, epoch=1))
    assert paces.of(LISTED[-1]).ready == 0
    assert paces.of(LISTED[0]).ready == pytest.approx(5 * 4)


def test_a_budget_that_will_clearly_be_missed_is_said_by_how_much() -> None:
    assert overrun(100, passed=30, epoch=20, left=5, later=[10.0]) == 40
    assert overrun(100, passed=30, epoch=15, left=5) == 0  # 5 % is not worth a word
    assert overrun(100, passed=30, epoch=10, left=5) == 0


def test_says_what_a_training_is() -> None:
    assert [in_words(one) for one in LISTED[-2:]] == ["2 epochs of 64x48", "1 epoch of 64x48"]
