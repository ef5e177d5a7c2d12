"""Statistics of the numbers that auxiliary heads learn."""

import pytest
import torch
from torch import Tensor

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.heads.numbers import Numbers, Regression, thresholds
from maskkit.modeling.target import Target

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


NUMBERS = Numbers.of(torch.tensor([[20.0], [40.0], [60.0], [NAN]]), HOME)  # mean 40, std 16.33


def never(*_: object) -> Tensor:
    raise AssertionError


def losses(answers: list[float], ages: list[float]) -> Tensor:
    target = Target(torch.full((len(ages), 18), 1 / 18), torch.tensor(ages)[:, None])
    return Regression(4, NUMBERS).losses(torch.tensor(answers)[None, :, None], target, never)


def test_a_loss_worked_by_hand() -> None:
    std = (800 / 3) ** 0.5
    given = losses([0.0, 0.5, 3.0], [40, 40 + std, 40])
    assert given.tolist() == pytest.approx([0, 0.5 * 0.5**2, 3 - 0.5])


def test_equals_torchs_own_loss_of_standardised_numbers() -> None:
    head, ages = Regression(4, NUMBERS), torch.rand(9, 1) * 40 + 20
    outputs = head(torch.randn(9, 4))
    given = head.losses(outputs, Target(torch.zeros(9, 18), ages), never)
    wanted = (ages - 40) / (800 / 3) ** 0.5
    expected = torch.nn.functional.smooth_l1_loss(outputs[0], wanted, reduction="none")[:, 0]
    torch.testing.assert_close(given, expected)


def test_an_unknown_number_costs_nothing_and_teaches_nothing() -> None:
    head, features = Regression(4, NUMBERS), torch.randn(3, 4, requires_grad=True)
    target = Target(torch.zeros(3, 18), torch.tensor([[30.0], [NAN], [50.0]]))
    given = head.losses(head(features), target, never)
    given.sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert given[1] == 0
    assert features.grad.abs().sum(1).gt(0).tolist() == [True, False, True]
    assert bool(head.last.weight.grad.isfinite().all())  # type: ignore[union-attr]


def test_several_numbers_count_alike() -> None:
    twice = Numbers(
        *(torch.cat([each, each]) for each in (NUMBERS.mean, NUMBERS.std, NUMBERS.smallest, NUMBERS.largest))
    )
    target = Target(torch.zeros(2, 18), torch.tensor([[40.0, 40.0], [40.0, NAN]]))
    given = Regression(4, twice).losses(torch.tensor([[[2.0, 0.0], [2.0, 9.0]]]), target, never)
    assert given.tolist() == [0.75, 0.75]
