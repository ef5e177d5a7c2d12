"""Statistics of the numbers that auxiliary heads learn."""

import pytest
import torch

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.heads.numbers import Numbers, thresholds

NAN = float("nan")


def numbers(*ages: float) -> Numbers:
    return Numbers.of(torch.tensor(ages)[:, None], HOME)


def test_unknown_numbers_are_left_out() -> None:
    ages = numbers(20, NAN, 40, 60)
    assert (ages.mean.item(), ages.smallest.item(), ages.largest.item()) == (40, 20, 60)
    assert ages.std.item() == pytest.approx((800 / 3) ** 0.5)


def test_the_form_in_a_state_dict_is_read_back() -> None:
    ages = numbers(20, 40, 60)
    again = Numbers.from_tensor(ages.to_tensor())
    assert all(torch.equal(getattr(again, name), getattr(ages, name)) for name in vars(ages))


@pytest.mark.parametrize(
    ("ages", "why"), [((30.0, 30.0), "all of them are 30"), ((NAN, NAN), "none is known")]
)
def test_nothing_to_learn_is_an_error(ages: tuple[float, ...], why: str) -> None:
    with pytest.raises(MaskkitError, match="the numbers of age cannot be learnt") as caught:
        numbers(*ages)
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("step", "expected"),
    [(10.0, [28, 38, 48, 58]), (21.0, [39, 60]), (42.0, [60]), (0.1, [18 + 0.1 * k for k in range(1, 421)])],
)
def test_thresholds_are_a_step_apart_from_the_smallest_to_the_largest(
    step: float, expected: list[float]
) -> None:
    (asked,) = thresholds(numbers(18, 60), step)
    assert asked.tolist() == pytest.approx(expected)


def test_the_largest_number_reaches_a_threshold_that_only_rounding_puts_above_it() -> None:
    measured = numbers(0, 0.7)
    (asked,) = thresholds(measured, 0.1)
    assert len(asked) == 7
    assert asked[-1] == measured.largest


@pytest.mark.parametrize("step", [43.0, 0.0, 0.001])
def test_a_step_that_makes_none_or_thousands_is_refused(step: float) -> None:
    with pytest.raises(MaskkitError, match=f"step={step:g}") as caught:
        thresholds(numbers(18, 60), step)
    assert "from 18 to 60" in caught.value.why
    assert "such as 10" in caught.value.fix
