"""One answer per factor, and their product."""

from itertools import product
from math import log, prod

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.labels import HOME
from maskkit.modeling.heads.factors import Factors
from maskkit.modeling.target import Target


def classify(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
    assert scale == 1
    assert logits.shape[1] == HOME.shape[factor or 0]
    return F.cross_entropy(logits, target, reduction="none")


def test_a_class_is_as_probable_as_its_levels_together() -> None:
    wanted = ([0.7, 0.2, 0.1], [0.4, 0.6], [0.5, 0.3, 0.2])
    logits = torch.tensor([[log(p) + 2 for levels in wanted for p in levels]])  # any constant is as good
    joint = Factors(4, HOME).joint(logits).exp()
    by_hand = [prod(levels) for levels in product(*wanted)]  # mask counts most, age least
    assert joint[0].tolist() == pytest.approx(by_hand)
    assert float(joint.sum()) == pytest.approx(1)


def test_a_class_is_where_its_levels_say() -> None:
    for number in range(18):
        levels = [
            factor.levels.index(name)
            for factor, name in zip(HOME.factors, HOME.levels_of(number), strict=True)
        ]
        logits = torch.cat(
            [
                F.one_hot(torch.tensor([level]), count) * 9.0
                for level, count in zip(levels, HOME.shape, strict=True)
            ],
            dim=1,
        )
        assert int(Factors(4, HOME).joint(logits).argmax()) == number


def test_with_cross_entropy_and_one_class_each_the_loss_is_that_of_the_joint_class() -> None:
    head = Factors(4, HOME, samples=1)
    outputs = torch.randn(1, 18, 8) * 3
    target = Target.of_labels(torch.arange(18), torch.zeros(18, 1), classes=18)
    torch.testing.assert_close(
        head.losses(outputs, target, classify),
        F.nll_loss(head.joint(outputs[0]), torch.arange(18), reduction="none"),
    )


def test_soft_targets_are_divided_among_the_levels() -> None:
    classes = torch.rand(5, 18).softmax(1)
    outputs = torch.randn(1, 5, 8)
    mask, gender, age = torch.split(outputs[0], [3, 2, 3], dim=1)
    expected = torch.zeros(5)
    for number in range(18):
        levels = (number // 6, number // 3 % 2, number % 3)
        for logits, level in zip((mask, gender, age), levels, strict=True):
            expected -= classes[:, number] * logits.log_softmax(1)[:, level]
    losses = Factors(4, HOME).losses(outputs, Target(classes, torch.zeros(5, 1)), classify)
    torch.testing.assert_close(losses, expected)


def test_losses_are_averaged_over_the_draws() -> None:
    head, outputs = Factors(4, HOME, samples=3), torch.randn(3, 5, 8)
    target = Target.of_labels(torch.tensor([0, 3, 9, 12, 17]), torch.zeros(5, 1), classes=18)
    each = [head.losses(draw[None], target, classify) for draw in outputs]
    torch.testing.assert_close(head.losses(outputs, target, classify), (each[0] + each[1] + each[2]) / 3)


def test_the_criterion_hears_which_factor_it_judges() -> None:
    asked: list[int | None] = []

    def note(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
        asked.append(factor)
        return classify(logits, target, factor, scale)

    Factors(4, HOME).losses(
        torch.zeros(1, 2, 8), Target(torch.full((2, 18), 1 / 18), torch.zeros(2, 1)), note
    )
    assert asked == [0, 1, 2]


def test_probabilities_stay_finite_at_extreme_logits() -> None:
    outputs = torch.tensor([[1e4, -1e4, 0, 1e4, -1e4, -1e4, 0, 1e4]], requires_grad=True)
    joint = Factors(4, HOME).joint(outputs)
    joint.sum().backward()  # type: ignore[no-untyped-call]
    assert bool(joint.isfinite().all())
    assert outputs.grad is not None
    assert bool(outputs.grad.isfinite().all())
