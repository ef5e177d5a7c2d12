import io
from collections.abc import Callable, Sequence
from functools import partial
from math import cos, nan, pi
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau, StepLR

from maskkit.options import techniques
from maskkit.options.choices import Choice, parse
from maskkit.training.schedule import SCHEDULES, Plateau, Schedule, constant, cosine, onecycle, staircase


def two_groups() -> SGD:
    """A backbone and a head."""
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    return SGD([{"params": weights[:1], "lr": 0.002}, {"params": weights[1:], "lr": 0.01}], lr=0.002)


def scheduled(name: str, *, steps: int = 6, epochs: int = 4, **settings: float) -> Schedule:
    defaults = parse(name, techniques.SCHEDULES, option="--schedule").settings
    return Schedule(
        two_groups(), Choice(name, {**defaults, **settings}), steps_per_epoch=steps, epochs=epochs
    )


def rates_of(schedule: Schedule) -> list[float]:
    return [group["lr"] for group in schedule.optimizer.param_groups]


def test_rises_in_equal_steps_to_the_highest_rate() -> None:
    rates = [cosine(step, 100, 1, warmup=0.04) for step in range(5)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_falls_along_half_a_cosine_to_nothing() -> None:
    # A fall of 96 steps after 4 of warm-up: (1 + cos(pi * share)) / 2, by hand at the quarters.
    assert cosine(4 + 24, 100, 1, warmup=4 / 100) == pytest.approx((1 + 2**-0.5) / 2)
    assert cosine(4 + 48, 100, 1, warmup=4 / 100) == pytest.approx(0.5)
    assert cosine(4 + 72, 100, 1, warmup=4 / 100) == pytest.approx((1 - 2**-0.5) / 2)
    assert cosine(99, 100, 1, warmup=4 / 100) == pytest.approx((1 + cos(pi * 95 / 96)) / 2)
    assert cosine(100, 100, 1, warmup=4 / 100) == 0


def test_begins_at_the_highest_rate_without_warm_up() -> None:
    assert cosine(0, 10, 1, warmup=0 / 10) == 1


def test_the_last_step_still_moves_the_weights() -> None:
    assert all(0 < cosine(step, 7, 1, warmup=2 / 7) <= 1 for step in range(7))


def test_only_rises_if_the_warm_up_is_longer_than_the_run() -> None:
    assert cosine(3, 4, 1, warmup=9 / 4) == pytest.approx(0.4)
    assert cosine(4, 4, 1, warmup=4 / 4) == 1


def test_cosine_gives_torch_every_rate_to_the_last_bit() -> None:
    ours, theirs = scheduled("cosine", warmup=0.5), two_groups()
    torchs = LambdaLR(theirs, lambda step: cosine(step, 6, 4, warmup=0.5))
    for _ in range(25):
        assert rates_of(ours) == [group["lr"] for group in theirs.param_groups]
        assert ours.rate == torchs.get_last_lr()[0]
        ours.step()
        theirs.step()
        torchs.step()


@pytest.mark.parametrize(
    ("epochs", "rise"), [(epochs, rise) for epochs in (1, 4, 7) for rise in (0.2, 0.3, 0.5, 0.9)]
)
def test_onecycle_is_torchs_one_cycle(epochs: int, rise: float) -> None:
    ours, theirs = scheduled("onecycle", epochs=epochs, rise=rise, start=20.0, end=500.0), two_groups()
    torchs = OneCycleLR(
        theirs, [0.002, 0.01], total_steps=6 * epochs, pct_start=rise,
        div_factor=20, final_div_factor=500, cycle_momentum=False,
    )  # fmt: skip
    for step in range(6 * epochs):
        assert rates_of(ours) == pytest.approx(torchs.get_last_lr(), rel=1e-9), step
        ours.step()
        theirs.step()
        torchs.step()


def test_onecycle_as_worked_out_by_hand() -> None:
    factor = partial(
        onecycle, steps_per_epoch=21, epochs=1, rise=1 / 3, start=10.0, end=100.0
    )  # the 7th step is the highest
    assert factor(0) == pytest.approx(0.1)
    assert factor(3) == pytest.approx((0.1 + 1) / 2)
    assert factor(6) == pytest.approx(1)
    assert factor(13) == pytest.approx((1 + 0.001) / 2)
    assert factor(20) == pytest.approx(0.001)
    assert factor(21) == pytest.approx(0.001)  # after the last step, for the history


@pytest.mark.parametrize("rise", [0.0, 0.05, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("steps", [1, 10, 25])
def test_onecycle_has_a_highest_rate_however_short_it_is(steps: int, rise: float) -> None:
    factors = [onecycle(step, steps, 1, rise=rise, start=25, end=1e4) for step in range(steps)]
    assert 0.9 < max(factors) <= 1  # a rise of no whole number of steps has its top between two of them
    assert min(factors) > 0


def test_constant_stays_after_its_warm_up() -> None:
    assert [constant(step, 3, 1, warmup=1) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert constant(0, 3, 1, warmup=0) == 1


def test_step_falls_after_every_so_many_epochs_as_torchs_does() -> None:
    ours, theirs = scheduled("step", steps=5, epochs=9, warmup=0.0, every=2, factor=0.1), two_groups()
    torchs = StepLR(theirs, step_size=2, gamma=0.1)
    for _ in range(9):
        for _ in range(5):
            assert rates_of(ours) == pytest.approx(torchs.get_last_lr())
            theirs.step()
            ours.step()
        torchs.step()


def test_step_rises_first_and_counts_its_epochs_from_the_beginning() -> None:
    factors = [staircase(step, 2, 5, every=2, factor=0.5, warmup=1.5) for step in (0, 2, 3, 4, 7, 8)]
    assert factors == [0.25, 0.75, 1, 0.5, 0.5, 0.25]


SCORES = {
    "rising": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "falling": [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0, 0.0],
    "level": [0.5] * 9,
    "from nothing": [0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1],
    "hardly better": [0.5, 0.50004, 0.50008, 0.50012, 0.50016],
    "up and down": [0.3, 0.2, 0.4, 0.3, 0.3, 0.41, 0.2, 0.2, 0.2, 0.2, 0.2, 0.42],
    "broken": [0.3, nan, nan, nan, nan, 0.4],
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=list(SCORES))
@pytest.mark.parametrize("patience", [0, 1, 2, 3])
def test_plateau_is_torchs_plateau_of_a_score_that_should_rise(
    scores: Sequence[float], patience: int
) -> None:
    ours, theirs = scheduled("plateau", warmup=0.0, patience=patience, factor=0.5), two_groups()
    torchs = ReduceLROnPlateau(theirs, mode="max", patience=patience, factor=0.5)
    for score in scores:
        ours.step()
        ours.observe(score)
        torchs.step(score)
        assert rates_of(ours) == pytest.approx([group["lr"] for group in theirs.param_groups])


def test_plateau_falls_after_the_first_epoch_too_many_as_worked_out_by_hand() -> None:
    schedule, seen = scheduled("plateau", warmup=0.0, patience=1, factor=0.1), []
    for score in (0.5, 0.4, 0.5, 0.4, 0.3, 0.6):
        schedule.observe(score)
        seen.append(schedule.factor)
    assert seen == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_plateau_warms_up_too() -> None:
    schedule = scheduled("plateau", steps=3, warmup=1.0)
    for expected in (0.25, 0.5, 0.75, 1, 1):
        assert schedule.factor == expected
        schedule.step()


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "plateau"])
def test_no_other_schedule_asks_for_the_score(name: str) -> None:
    schedule = scheduled(name)
    before = rates_of(schedule)
    for _ in range(9):
        schedule.observe(0.0)
    assert rates_of(schedule) == before


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_moves_every_group_by_the_same_factor_and_tells_the_rate_asked_for(name: str) -> None:
    schedule = scheduled(name)
    for _ in range(24):
        assert rates_of(schedule) == [0.002 * schedule.factor, 0.01 * schedule.factor]
        assert schedule.rate == 0.002 * schedule.factor
        schedule.step()


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("interrupted_after", [1, 2, 3])
def test_goes_on_from_its_state_as_if_never_interrupted(name: str, interrupted_after: int) -> None:
    scores = [0.5, 0.4, 0.3, 0.2, 0.1, 0.6]
    make: Callable[[], Schedule] = partial(
        scheduled, name, epochs=6, **({"patience": 1} if name == "plateau" else {})
    )

    def run(schedule: Schedule, first: int) -> list[float]:
        rates = []
        for score in scores[first:]:
            for _ in range(6):
                rates += rates_of(schedule)
                schedule.step()
            schedule.observe(score)
        return rates

    part = make()
    for score in scores[:interrupted_after]:
        for _ in range(6):
            part.step()
        part.observe(score)
    resumed = make()
    resumed.optimizer.load_state_dict(part.optimizer.state_dict())
    resumed.load_state_dict(saved_and_read(part.state_dict()))
    assert rates_of(resumed) == rates_of(part)
    assert run(resumed, interrupted_after) == run(make(), 0)[12 * interrupted_after :]


def saved_and_read(state: dict[str, Any]) -> dict[str, Any]:
    """Pass a state through a file, as resuming does."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    read: dict[str, Any] = torch.load(buffer, weights_only=True)
    return read


def test_a_plateau_that_has_seen_nothing_can_be_saved() -> None:
    plateau, other = (Plateau(2, 5, warmup=0, patience=0, factor=0.5) for _ in range(2))
    other.load_state_dict(saved_and_read(plateau.state_dict()))
    other.observe(0.0)  # the first score is the best so far, even if it is 0
    assert other.drops == 0
