from math import log

import pytest
import torch

from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.poly import poly

LOGITS = torch.tensor([[0.5, 0.25, 0.25]]).log()


def test_equals_poly_1_worked_by_hand() -> None:
    assert poly(LOGITS, torch.tensor([0])).item() == pytest.approx(log(2) + 0.5)
    assert poly(LOGITS, torch.tensor([1]), epsilon=2).item() == pytest.approx(log(4) + 2 * 0.75)


def test_class_probabilities_weigh_the_loss_of_each_class() -> None:
    expected = 0.5 * (log(2) + 0.5) + 0.5 * (log(4) + 0.75)
    assert poly(LOGITS, torch.tensor([[0.5, 0.5, 0.0]])).item() == pytest.approx(expected)


@pytest.mark.parametrize("epsilon", [-1.0, 0.0, 2.0])
def test_is_the_series_of_cross_entropy_with_another_first_term(epsilon: float) -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(9, 5, dtype=torch.float64), torch.randint(5, (9,))
    doubt = 1 - logits.softmax(dim=1).gather(1, target[:, None]).squeeze(1)
    powers = torch.arange(1, 20_000)[:, None]
    series = (doubt**powers / powers).sum(dim=0) + epsilon * doubt
    torch.testing.assert_close(poly(logits, target, epsilon=epsilon), series.float())


def test_an_epsilon_of_zero_is_cross_entropy() -> None:
    torch.manual_seed(0)
    logits = torch.randn(9, 5)
    for target in (torch.randint(5, (9,)), torch.rand(9, 5).softmax(dim=1)):
        torch.testing.assert_close(poly(logits, target, epsilon=0), cross_entropy(logits, target))
