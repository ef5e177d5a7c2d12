from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, input_size_of
from maskkit.modeling.ending import begin_at_zero
from maskkit.modeling.frozen import Head
from maskkit.training.first_steps import LOOK_AT, FirstSteps

IMAGES = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def trained(model: nn.Module, images: Tensor = IMAGES, *, steps: int = LOOK_AT) -> FirstSteps:
    """Train for some steps, each looked at before the optimizer moves."""
    watch = FirstSteps(model, look_at=LOOK_AT)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        F.cross_entropy(model.train()(images), torch.arange(len(images))).backward()  # type: ignore[no-untyped-call]
        watch.look(images)
        optimizer.step()
        optimizer.zero_grad()
    return watch


def small(name: str = "test_resnet") -> nn.Module:
    torch.manual_seed(0)
    model = build(name, classes=18, drop_rate=0.2)
    begin_at_zero(model)
    return model


def cut_off(model: nn.Module) -> None:
    model.get_submodule("global_pool").register_forward_hook(lambda *given: given[2].detach())


def made_constant(model: nn.Module) -> None:
    """Let features be the same for all photos, though gradients flow: only dropout makes logits differ."""
    weight = model.get_submodule("layer4.0.conv1").weight
    model.get_submodule("layer4").register_forward_hook(lambda *given: given[2] * 0 + 1 + weight.mean())  # type: ignore[operator]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit2", "test_convnext", "test_efficientnet"])
def test_a_model_that_learns_passes(name: str) -> None:
    model = small(name)
    assert trained(model, F.interpolate(IMAGES, input_size_of(model))).steps == LOOK_AT


@pytest.mark.parametrize(
    ("spoil", "says"), [(cut_off, "nothing of test_resnet but its last"), (made_constant, "all photos alike")]
)
def test_a_model_that_learns_nothing_from_photos_is_stopped(
    spoil: Callable[[nn.Module], Any], says: str
) -> None:
    model = small()
    spoil(model)
    trained(model, steps=LOOK_AT - 1)
    with pytest.raises(MaskkitError, match=says) as caught:
        trained(model)
    assert "lost time" in caught.value.why


def test_nothing_is_looked_at_while_the_last_layer_learns_alone() -> None:
    model = small()
    cut_off(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    assert trained(model, steps=10).steps == 0
    model.requires_grad_()
    with pytest.raises(MaskkitError, match="nothing of test_resnet"):
        trained(model)


def test_a_head_on_features_has_to_tell_photos_apart() -> None:
    features = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    assert trained(Head(nn.Linear(8, 6), dropout=0.5), features).steps == LOOK_AT
    same = torch.ones(6, 8)
    same[:, 0] = torch.arange(6) * 1e-9 + 1  # features that float32 cannot tell apart
    same[5] = 2  # which is not among the photos looked at
    assert trained(Head(nn.Linear(8, 6), dropout=0.5), same).steps == LOOK_AT  # equal photos prove nothing
    dead = Head(nn.Sequential(nn.Linear(8, 6), nn.Threshold(1e9, 1.0)), dropout=0.5)
    with pytest.raises(MaskkitError, match="Head answers all photos alike"):
        trained(dead, features)


def with_gradients(weight: float) -> nn.Module:
    model = small()
    nn.init.constant_(model.get_classifier().weight[0], weight)  # type: ignore[operator]
    F.cross_entropy(model.train()(IMAGES), torch.arange(6)).backward()  # type: ignore[no-untyped-call]
    return model


def test_looking_changes_nothing() -> None:
    model = with_gradients(1.0)
    model.get_submodule("layer1").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    FirstSteps(model, look_at=1).look(IMAGES)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_is_not_finite_is_left_to_the_look_at_the_loss() -> None:
    FirstSteps(with_gradients(float("nan")), look_at=1).look(IMAGES)
