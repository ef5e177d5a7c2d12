from math import log

import pytest
import torch
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.focal import focal

LOGITS = torch.tensor([[0.5, 0.25, 0.25]]).log()


def test_equals_equation_4_worked_by_hand() -> None:
    assert focal(LOGITS, torch.tensor([0])).item() == pytest.approx(0.5**2 * log(2))
    assert focal(LOGITS, torch.tensor([1]), gamma=1).item() == pytest.approx(0.75 * log(4))


def test_weight_is_the_alpha_of_equation_5() -> None:
    weight = torch.tensor([0.25, 4.0, 1.0])
    assert focal(LOGITS, torch.tensor([0]), weight=weight).item() == pytest.approx(0.25 * 0.5**2 * log(2))


def test_class_probabilities_weigh_the_loss_of_each_class() -> None:
    target = torch.tensor([[0.5, 0.5, 0.0]])
    expected = 0.5 * 0.5**2 * log(2) + 0.5 * 0.75**2 * log(4)
    assert focal(LOGITS, target).item() == pytest.approx(expected)


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 0.0, 2.0, 1.0, 3.0])])
def test_gamma_of_zero_is_cross_entropy(weight: Tensor | None) -> None:
    torch.manual_seed(0)
    logits = torch.randn(9, 5)
    for target in (torch.randint(5, (9,)), torch.rand(9, 5).softmax(dim=1)):
        torch.testing.assert_close(
            focal(logits, target, gamma=0, weight=weight), cross_entropy(logits, target, weight=weight)
        )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_gradient_is_finite_when_certain(gamma: float) -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [20.0, 0.0], [0.0, 0.0]], requires_grad=True)
    for target in (torch.tensor([0, 0, 0, 0]), torch.tensor([[0.9, 0.1]] * 4)):
        (gradient,) = torch.autograd.grad(focal(logits, target, gamma=gamma).sum(), logits)
        assert gradient.isfinite().all()
        assert gradient[1].abs().sum() > 0.5


def test_fades_as_an_example_becomes_easy() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
    target = torch.zeros(3, dtype=torch.int64)
    share = focal(logits, target) / cross_entropy(logits, target)
    assert share[0] > 10 * share[1] > 100 * share[2]
