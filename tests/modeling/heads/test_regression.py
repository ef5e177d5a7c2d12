"""Numbers as an auxiliary: standardised, and unknown ones free of charge."""

import pytest
import torch
from torch import Tensor

from maskkit.labels import HOME
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.heads.regression import Regression
from maskkit.modeling.target import Target

NAN = float("nan")
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
