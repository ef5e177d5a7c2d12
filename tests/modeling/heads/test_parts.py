"""A logit per class, with dropout drawn once or more often; and a logit per level of each factor."""

from itertools import product
from math import log, prod

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.labels import HOME
from maskkit.modeling.heads.parts import Factors, Joint, Layers
from maskkit.modeling.target import Target

TARGET = Target.of_labels(torch.tensor([0, 5, 17]), torch.zeros(3, 1), classes=18)


def classify_jointly(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
    assert factor is None
    assert scale == 1
    return F.cross_entropy(logits, target, reduction="none")


def test_losses_not_logits_are_averaged_over_the_draws() -> None:
    draws = torch.randn(4, 3, 18)
    losses = Joint(8, HOME).losses(draws, TARGET, classify_jointly)
    each = [-draw.log_softmax(1)[[0, 1, 2], TARGET.hard] for draw in draws]
    torch.testing.assert_close(losses, (each[0] + each[1] + each[2] + each[3]) / 4)
    assert bool(
        (losses > classify_jointly(draws.mean(0), TARGET.classes, None, 1.0)).all()
    )  # Jensen's inequality


def test_each_draw_drops_features_of_its_own() -> None:
    layers = Layers(1000, 2, hidden=0, dropout=0.25, samples=3)
    values: list[Tensor] = []
    layers.last.register_forward_hook(lambda _, given, __: values.append(given[0]))
    outputs = layers(torch.ones(5, 1000))
    assert outputs.shape == (3, 5, 2)
    kept = values[0] != 0  # (3, 5, 1000)
    assert set(values[0].flatten().tolist()) == {0, torch.tensor(1 / 0.75).item()}
    assert abs(float(kept.float().mean()) - 0.75) < 0.02
    assert not any(torch.equal(kept[first], kept[second]) for first, second in [(0, 1), (0, 2), (1, 2)])
    assert not torch.equal(kept[0, 0], kept[0, 1])


def test_nothing_is_dropped_in_evaluation() -> None:
    layers = Layers(10, 2, hidden=0, dropout=0.9, samples=3).eval()
    features = torch.rand(5, 10)
    torch.testing.assert_close(
        layers(features), F.linear(features, layers.last.weight, layers.last.bias)[None]
    )


def test_a_hidden_layer_is_computed_once_and_dropped_after() -> None:
    layers = Layers(10, 2, hidden=6, dropout=0.5, samples=4)
    given: list[Tensor] = []
    layers.hidden.register_forward_hook(lambda _, __, made: given.append(made))
    layers(torch.randn(5, 10))
    assert [tuple(made.shape) for made in given] == [(5, 6)]
    assert bool((given[0] >= 0).all())
    assert layers.last.in_features == 6


def test_a_seed_decides_what_is_dropped() -> None:
    layers = Layers(10, 2, hidden=0, dropout=0.5, samples=2)
    answers = []
    for _ in range(2):
        torch.manual_seed(3)
        answers.append(layers(torch.ones(4, 10)))
    assert torch.equal(*answers)


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
