"""CORAL and CORN, against worked numbers and the examples in their authors' documentation."""

from math import exp, log

import pytest
import torch
from torch import Tensor

from maskkit.labels import HOME
from maskkit.modeling.heads.numbers import Numbers, SharedScore, coral, coral_loss, corn, corn_loss
from maskkit.modeling.target import Target

NAN = float("nan")
NUMBERS = Numbers.of(torch.tensor([[18.0], [60.0]]), HOME)
ALL = torch.tensor([True, True, True])


def never(*_: object) -> Tensor:
    raise AssertionError


def ranks(levels: list[int], thresholds: int) -> Tensor:
    return torch.tensor(levels)[:, None] > torch.arange(thresholds)


def test_coral_equals_the_example_of_its_authors() -> None:
    # https://github.com/Raschka-research-group/coral-pytorch, docs of coral_loss: the sum over thresholds.
    logits = torch.tensor([[2.1, 1.8, -2.1, -1.8], [1.9, -1.0, -1.5, -1.3], [1.9, 1.8, 1.7, 1.6]])
    assert float(coral_loss(logits, ranks([2, 1, 4], 4), ALL).mean()) * 4 == pytest.approx(0.6920, abs=5e-5)


def test_coral_worked_by_hand() -> None:
    logits = torch.tensor([[0.0, log(3)]])  # probabilities 1/2 and 3/4 of having reached them
    reached = torch.tensor([[True, False]])
    assert float(coral_loss(logits, reached, ALL[:1])) == pytest.approx(-(log(1 / 2) + log(1 / 4)) / 2)


def test_corn_equals_the_example_of_its_authors() -> None:
    # The same, docs of corn_loss.
    torch.manual_seed(123)
    features, levels = torch.rand(8, 99), [0, 1, 2, 2, 2, 3, 4, 4]
    logits = torch.nn.Linear(99, 4)(features).detach()
    losses = corn_loss(logits, ranks(levels, 4), torch.ones(8, dtype=torch.bool))
    assert float(losses.mean()) == pytest.approx(0.7127, abs=5e-5)


def test_corn_equals_the_papers_sum_over_subsets() -> None:
    torch.manual_seed(0)
    logits, levels = torch.randn(7, 3), [0, 0, 1, 1, 2, 3, 3]
    total, asked = 0.0, 0
    for threshold in range(3):
        for row, level in enumerate(levels):
            if threshold == 0 or level > threshold - 1:  # in the subset S_k
                probability = 1 / (1 + exp(-float(logits[row, threshold])))
                total -= log(probability if level > threshold else 1 - probability)
                asked += 1
    losses = corn_loss(logits, ranks(levels, 3), torch.ones(7, dtype=torch.bool))
    assert asked == 7 + 5 + 3
    assert float(losses.mean()) == pytest.approx(total / asked, rel=1e-5)


def test_unknown_numbers_change_nothing_for_the_others() -> None:
    logits, reached = torch.randn(3, 4), ranks([2, 0, 4], 4)
    known = torch.tensor([True, False, True])
    for loss in (coral_loss, corn_loss):
        some = loss(logits, reached, known)
        torch.testing.assert_close(some[known], loss(logits[known], reached[known], ALL[:2]))
        assert some[1] == 0


@pytest.mark.parametrize("make", [coral, corn])
def test_an_unknown_number_costs_nothing_and_teaches_nothing(make: type) -> None:
    head, features = make(4, NUMBERS), torch.randn(3, 4, requires_grad=True)
    target = Target(torch.zeros(3, 18), torch.tensor([[30.0], [NAN], [50.0]]))
    losses = head.losses(head(features), target, never)
    losses.sum().backward()
    assert features.grad is not None
    assert losses[1] == 0
    assert features.grad.abs().sum(1).gt(0).tolist() == [True, False, True]


@pytest.mark.parametrize("make", [coral, corn])
def test_a_batch_of_unknown_numbers_costs_nothing(make: type) -> None:
    head = make(4, NUMBERS)
    target = Target(torch.zeros(2, 18), torch.full((2, 1), NAN))
    losses = head.losses(head(torch.randn(2, 4)), target, never)
    losses.sum().backward()
    assert losses.tolist() == [0, 0]
    assert all(bool(parameter.grad.isfinite().all()) for parameter in head.parameters())


@pytest.mark.parametrize("loss", [coral_loss, corn_loss])
def test_gradients_are_finite_at_the_extremes(loss: type) -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [0.0, 1e4]], requires_grad=True)
    losses = loss(logits, ranks([2, 0, 1], 2), ALL)
    losses.sum().backward()
    assert logits.grad is not None
    assert bool(losses.isfinite().all())
    assert bool(logits.grad.isfinite().all())


def test_a_number_at_a_threshold_has_reached_it() -> None:
    head = coral(4, NUMBERS, step=10)  # thresholds at 28, 38, 48, 58
    target = Target(torch.zeros(2, 18), torch.tensor([[38.0], [37.9]]))
    sure = torch.tensor([9.0, 9.0, -9.0, -9.0]).expand(1, 2, 4)
    losses = head.losses(sure, target, never)
    assert losses[0] < 0.001
    assert losses[1] > 2


def test_coral_shares_one_score_per_factor() -> None:
    layer = SharedScore(4, [2, 3])
    features = torch.randn(6, 4)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    scores = features @ layer.score.weight.T
    expected = torch.stack(
        [scores[:, 0] + 1, scores[:, 0] + 2, *(scores[:, 1] + bias for bias in (3, 4, 5))], dim=1
    )
    torch.testing.assert_close(layer(features), expected)


def test_coral_learns_biases_in_order_as_its_theorem_says() -> None:
    torch.manual_seed(0)
    ages = torch.randint(18, 61, (200, 1)).float()
    features = torch.cat([ages / 60, torch.randn(200, 3)], dim=1)
    head = coral(4, Numbers.of(ages, HOME))
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=200)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = head.losses(head(features), Target(torch.zeros(200, 18), ages), never).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value.detach()

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    assert bool((head.layer.bias.diff() < 0).all())  # type: ignore[operator]


def test_factors_of_different_thresholds_count_alike() -> None:
    numbers = Numbers(*torch.tensor([[30.0, 5.0], [10.0, 2.0], [10.0, 0.0], [50.0, 20.0]]))
    head = corn(4, numbers, step=10)  # at 20, 30, 40, 50, and at 10, 20
    target = Target(torch.zeros(1, 18), torch.tensor([[5.0, 10.0]]))
    losses = head.losses(torch.zeros(1, 1, 6), target, never)
    assert float(losses) == pytest.approx(log(2))
    assert head.counts == [4, 2]
