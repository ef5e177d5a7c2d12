"""One answer for all factors, with dropout drawn once or more often."""

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.labels import HOME
from maskkit.modeling.heads.joint import Joint
from maskkit.modeling.heads.layers import Layers
from maskkit.modeling.target import Target

TARGET = Target.of_labels(torch.tensor([0, 5, 17]), torch.zeros(3, 1), classes=18)


def classify(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
    assert factor is None
    assert scale == 1
    return F.cross_entropy(logits, target, reduction="none")


def test_losses_not_logits_are_averaged_over_the_draws() -> None:
    draws = torch.randn(4, 3, 18)
    losses = Joint(8, HOME).losses(draws, TARGET, classify)
    each = [-draw.log_softmax(1)[[0, 1, 2], TARGET.hard] for draw in draws]
    torch.testing.assert_close(losses, (each[0] + each[1] + each[2] + each[3]) / 4)
    assert bool((losses > classify(draws.mean(0), TARGET.classes, None, 1.0)).all())  # Jensen's inequality


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
