from collections.abc import Callable
from math import inf, log10, nan

import numpy as np
import pytest

from maskkit.errors import MaskkitError
from maskkit.training.range_test import RULE, range_test

OPTIMIZERS = ["adamw", "sgd", "adamp", "lamb", "madgradw", "lion", "muon", "adafactorbv"]


def told(losses: list[float]) -> Callable[[float], float]:
    """A training whose losses are given."""
    left = iter(losses)
    return lambda _: next(left)


def valley(rate: float) -> float:
    """A loss that falls to its lowest at a rate of 0.01, and rises from there."""
    return 1 + (log10(rate) + 2) ** 2


def test_raises_the_rate_by_a_constant_factor_from_the_start_to_the_end() -> None:
    asked: list[float] = []

    def step(rate: float) -> float:
        asked.append(rate)
        return 1 / len(asked)

    curve = range_test(step, start=1e-4, end=1.0, steps=5)
    assert asked == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert list(curve.rates) == asked
    assert list(curve.losses) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert (
        curve.stopped
        == "the highest rate, 1, was reached while the loss still fell; a higher one may do better"
    )


def test_smooths_as_if_the_average_had_not_begun_at_nothing_worked_out_by_hand() -> None:
    curve = range_test(told([3.0, 2.0, 1.0]), steps=3)
    second = (0.9 * 3 + 2) / (1 + 0.9)
    third = (0.81 * 3 + 0.9 * 2 + 1) / (1 + 0.9 + 0.81)
    assert curve.smoothed == pytest.approx([3, second, third])


def test_a_constant_loss_is_smoothed_to_itself() -> None:
    curve = range_test(told([2.0] * 9 + [1.9]), steps=10)
    assert curve.smoothed[:9] == pytest.approx([2.0] * 9)


def test_says_when_the_highest_rate_was_reached_and_the_loss_had_risen_by_then() -> None:
    curve = range_test(told([3.0, 1.0, 5.0]), end=0.5, steps=3)
    assert curve.stopped == "the highest rate, 0.5, was reached"


def test_suggests_a_tenth_of_the_rate_of_the_lowest_smoothed_loss() -> None:
    curve = range_test(valley, start=1e-5, end=1.0, steps=200)
    lowest = curve.rates[curve.smoothed.index(min(curve.smoothed))]
    assert curve.suggestion == pytest.approx(lowest / 10, rel=0.05)  # two digits
    assert float(f"{curve.suggestion:.2g}") == curve.suggestion
    assert 1e-3 <= curve.suggestion < 2e-3  # a tenth of 0.01, and what smoothing delays
    assert curve.rule == RULE
    assert "tenth" in RULE


def test_stops_when_the_smoothed_loss_is_four_times_its_lowest() -> None:
    curve = range_test(told([2.0, 1.0, *[100.0] * 8]), start=1e-3, end=1.0, steps=10)
    assert list(curve.losses) == [2, 1, 100]
    assert curve.smoothed[-1] > 4 * min(curve.smoothed)
    assert "4 times its lowest at the rate 0.0046" in curve.stopped


@pytest.mark.parametrize("broken", [nan, inf, -inf])
def test_stops_when_the_loss_is_not_finite_and_keeps_what_is(broken: float) -> None:
    curve = range_test(told([3.0, 2.0, 1.0, broken]), start=1e-3, end=1.0, steps=10)
    assert list(curve.losses) == [3, 2, 1]
    assert len(curve.rates) == len(curve.smoothed) == 3
    assert "no longer finite at the rate 0.01" in curve.stopped


def test_a_loss_below_nothing_does_not_run_away() -> None:
    curve = range_test(told([-1.0, -2.0, -3.0, -2.0]), steps=4)
    assert len(curve.losses) == 4


@pytest.mark.parametrize("losses", [[1.0, 2.0, 3.0], [nan, 1.0, 1.0], [1.0, nan, 1.0]])
def test_refuses_to_suggest_a_rate_if_nothing_was_learnt(losses: list[float]) -> None:
    with pytest.raises(MaskkitError, match="no learning rate to suggest") as caught:
        range_test(told(losses), steps=3)
    assert "lower rate" in caught.value.fix


@pytest.mark.parametrize("seed", range(5))
def test_finds_a_rate_at_which_gradient_descent_converges(seed: int) -> None:
    """On a quadratic, 2 over its curvature is the rate above which it diverges."""
    noise, curvature, place = np.random.default_rng(seed), 40.0, 3.0

    def step(rate: float) -> float:
        nonlocal place
        loss = 0.5 * curvature * place**2 + 1
        place -= rate * (curvature * place + noise.normal(0, 3))
        return float(loss + noise.normal(0, 0.1))

    curve = range_test(step, start=1e-5, end=10.0, steps=150)
    assert 0.01 * 2 / curvature < curve.suggestion < 0.5 * 2 / curvature
    assert curve.rates[-1] < 10
