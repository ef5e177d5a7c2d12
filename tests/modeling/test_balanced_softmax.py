from math import log

import pytest
import torch

from maskkit.modeling.losses.balanced_softmax import balanced_softmax


def test_equals_equation_3_worked_by_hand() -> None:
    logits = torch.tensor([[2.0, 3.0, 5.0]]).log()
    losses = balanced_softmax(logits, torch.tensor([2]), counts=torch.tensor([10, 4, 1]))
    assert losses.item() == pytest.approx(-log(5 / (20 + 12 + 5)))


def test_equals_the_softmax_of_equation_3_for_mixed_targets() -> None:
    torch.manual_seed(0)
    counts, logits, target = torch.tensor([700, 40, 3]), torch.randn(9, 3), torch.rand(9, 3).softmax(dim=1)
    odds = counts * logits.exp()
    expected = -(target * (odds / odds.sum(dim=1, keepdim=True)).log()).sum(dim=1)
    torch.testing.assert_close(balanced_softmax(logits, target, counts=counts), expected)


def test_only_the_ratio_of_the_counts_matters() -> None:
    torch.manual_seed(0)
    counts, logits, target = torch.tensor([700, 40, 3]), torch.randn(9, 3), torch.randint(3, (9,))
    torch.testing.assert_close(
        balanced_softmax(logits, target, counts=counts), balanced_softmax(logits, target, counts=10 * counts)
    )


def test_smoothing_towards_a_class_without_examples_is_finite() -> None:
    target = torch.tensor([[0.9, 0.05, 0.05]])
    losses = balanced_softmax(torch.zeros(1, 3), target, counts=torch.tensor([5, 5, 0]))
    assert losses.item() == pytest.approx(log(3))  # it counts as the most frequent class
