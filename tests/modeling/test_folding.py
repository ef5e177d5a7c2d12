from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from maskkit.modeling.backbone import build
from maskkit.modeling.folding import folded

FAMILIES = ["test_efficientnet", "test_resnet", "test_mambaout", "test_vit", "test_byobnet", "test_nfnet"]


def photos(count: int = 3, channels: int = 3, size: int = 32) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def as_if_trained(model: nn.Module) -> nn.Module:
    """Give every batch norm statistics and an affine map of its own; new ones do nothing."""
    random = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            for scale in (module.running_var, *([module.weight] if module.affine else [])):
                scale.data.uniform_(0.5, 2, generator=random)
            for shift in (module.running_mean, *([module.bias] if module.affine else [])):
                assert shift is not None
                shift.data.normal_(0, 0.5, generator=random)
    return model.eval()


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def logits(model: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        given: Tensor = model(images)
    return given


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_gives_the_same_logits_without_batch_norm(name: str) -> None:
    model = as_if_trained(build(name, classes=5))
    fit = folded(model, photos(2))
    assert norms(fit) == 0
    torch.testing.assert_close(logits(fit, photos()), logits(model, photos()), rtol=1e-4, atol=1e-5)


def test_the_model_itself_is_left_as_it_was() -> None:
    model = as_if_trained(build("test_resnet", classes=5)).train()
    before = deepcopy(model.state_dict())
    fit = folded(model, photos(2))
    assert norms(model) > 0
    assert model.training
    assert not fit.training
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_bias_of_the_convolution_and_a_norm_without_an_affine_map_are_folded_too() -> None:
    model = as_if_trained(nn.Sequential(nn.Conv2d(3, 4, 3, bias=True), nn.BatchNorm2d(4, affine=False)))
    fit = folded(model, photos(2))
    assert norms(fit) == 0
    torch.testing.assert_close(logits(fit, photos()), logits(model, photos()), rtol=1e-4, atol=1e-5)


def test_the_activation_that_a_norm_carries_remains() -> None:
    model = as_if_trained(nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4, act_layer=nn.ReLU)))
    fit = folded(model, photos(2))
    assert norms(fit) == 0
    assert logits(fit, photos()).min() == 0


class Twice(nn.Module):
    """One convolution, or one norm, that is used in two places."""

    def __init__(self, *, convolution: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = self.first if convolution else nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.other = nn.BatchNorm2d(3) if convolution else self.norm

    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = self.other(self.second(self.norm(self.first(images))))
        return given


class Branched(nn.Module):
    """A convolution whose output goes elsewhere too: to another module, or past all modules."""

    def __init__(self, *, other: nn.Module | None) -> None:
        super().__init__()
        self.convolution, self.norm, self.other = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), other

    def forward(self, images: Tensor) -> Tensor:
        made = self.convolution(images)
        beside: Tensor = made if self.other is None else self.other(made)
        both: Tensor = beside + self.norm(made)
        return both


class Standardised(nn.Conv2d):
    """A convolution that scales its weights itself, so that no scale can be folded into them."""

    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = nn.functional.conv2d(images, self.weight / self.weight.square().sum(), self.bias)
        return given


@pytest.mark.parametrize(
    "model",
    [
        Twice(convolution=True),
        Twice(convolution=False),
        Branched(other=nn.ReLU()),
        Branched(other=None),
        nn.Sequential(Standardised(3, 4, 3), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
    ],
    ids=["shared convolution", "shared norm", "branch", "unseen branch", "own scale", "relu first", "batch"],
)
def test_what_cannot_be_folded_is_kept(model: nn.Module) -> None:
    as_if_trained(model)
    fit = folded(model, photos(2))
    assert norms(fit) == norms(model)
    assert torch.equal(logits(fit, photos()), logits(model, photos()))


def test_broken_weights_are_passed_on() -> None:
    model = as_if_trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    model[0].weight.data[0] = torch.nan  # type: ignore[index]
    assert logits(folded(model, photos(2)), photos()).isnan().any()
