from math import cos, pi

import pytest

from maskkit.training.schedule import cosine


def test_rises_in_equal_steps_to_the_highest_rate() -> None:
    rates = [cosine(step, steps=100, warmup_steps=4) for step in range(5)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_falls_along_half_a_cosine_to_nothing() -> None:
    # A fall of 96 steps after 4 of warm-up: (1 + cos(pi * share)) / 2, by hand at the quarters.
    assert cosine(4 + 24, steps=100, warmup_steps=4) == pytest.approx((1 + 2**-0.5) / 2)
    assert cosine(4 + 48, steps=100, warmup_steps=4) == pytest.approx(0.5)
    assert cosine(4 + 72, steps=100, warmup_steps=4) == pytest.approx((1 - 2**-0.5) / 2)
    assert cosine(99, steps=100, warmup_steps=4) == pytest.approx((1 + cos(pi * 95 / 96)) / 2)
    assert cosine(100, steps=100, warmup_steps=4) == 0


def test_begins_at_the_highest_rate_without_warm_up() -> None:
    assert cosine(0, steps=10, warmup_steps=0) == 1


def test_the_last_step_still_moves_the_weights() -> None:
    assert all(0 < cosine(step, steps=7, warmup_steps=2) <= 1 for step in range(7))


def test_only_rises_if_the_warm_up_is_longer_than_the_run() -> None:
    assert cosine(3, steps=4, warmup_steps=9) == pytest.approx(0.4)
    assert cosine(4, steps=4, warmup_steps=4) == 1
