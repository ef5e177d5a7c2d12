from math import exp, log

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.ldam import ldam, ldam_margins

COUNTS = torch.tensor([1, 16, 81])  # fourth roots 1, 2, 3


def shifted(logits: Tensor, target: Tensor, margins: Tensor) -> Tensor:
    """Equation 12 as it is written: the margin leaves the target's logit, then the softmax."""
    taken = margins.double() * F.one_hot(target, logits.shape[1])
    return F.cross_entropy(logits.double() - taken, target, reduction="none")


def test_margins_equal_equation_13_worked_by_hand() -> None:
    assert ldam_margins(COUNTS, largest=0.5).tolist() == pytest.approx([1 / 2, 1 / 4, 1 / 6])


def test_a_class_without_examples_has_the_margin_of_the_rarest_seen() -> None:
    margins = ldam_margins(torch.tensor([16, 0, 256]), largest=0.5)
    assert margins.tolist() == pytest.approx([0.5, 0.5, 0.25])


def test_equals_equation_12_worked_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    expected = -log(exp(1.75 - 0) / (exp(1.75) + exp(1) + exp(0)))
    assert ldam(
        logits, torch.tensor([0]), counts=torch.tensor([16, 1, 1]), margin=0.5
    ).item() == pytest.approx(expected)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_equals_cross_entropy_of_shifted_logits(scale: float) -> None:
    torch.manual_seed(0)
    logits, target = scale * (2 * torch.rand(50, 3) - 1), torch.randint(3, (50,))
    losses = ldam(logits, target, counts=COUNTS, scale=scale)
    expected = shifted(logits, target, scale * ldam_margins(COUNTS, largest=0.5))
    torch.testing.assert_close(losses, expected.float())


def test_equals_the_closed_form_in_probabilities_for_mixed_targets() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(9, 3), torch.randn(9, 3).softmax(dim=1)
    margin, p = ldam_margins(COUNTS, largest=0.5), logits.softmax(dim=1)
    closed = -p.log() + margin + (1 - p + p * (-margin).exp()).log()
    torch.testing.assert_close(ldam(logits, target, counts=COUNTS), (closed * target).sum(dim=1))


@pytest.mark.parametrize("lead", [5.0, 14.0, 16.0, 18.0, 25.0, 40.0])
def test_asks_for_the_margin_where_the_probability_rounds_to_1(lead: float) -> None:
    logits = torch.tensor([[lead, 0.0]], requires_grad=True)
    losses = ldam(logits, torch.tensor([0]), counts=torch.tensor([1, 1]), margin=0.5, scale=30)
    assert losses.item() == pytest.approx(log(1 + exp(15 - lead)), rel=1e-5)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert -gradient[0, 0].item() == pytest.approx(1 / (1 + exp(lead - 15)), rel=1e-5)


def test_a_margin_of_zero_is_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(9, 3)
    for target in (torch.randint(3, (9,)), torch.rand(9, 3).softmax(dim=1)):
        torch.testing.assert_close(
            ldam(logits, target, counts=COUNTS, margin=0), cross_entropy(logits, target)
        )
