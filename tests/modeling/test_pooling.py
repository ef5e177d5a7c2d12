"""How a feature map becomes one number per channel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import backbone_parameters, build, head_names
from maskkit.modeling.pooling import GeM, exponent_name


def test_gem_worked_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]]]])
    assert float(GeM(flatten=True)(features).detach()) == pytest.approx((36 / 4) ** (1 / 3))  # 1 + 8 + 27


def test_gem_equals_equation_3() -> None:
    features, gem = torch.rand(3, 5, 4, 6), GeM(flatten=True)
    nn.init.constant_(gem.p, 2.5)
    expected = features.double().pow(2.5).mean((2, 3)).pow(1 / 2.5)
    torch.testing.assert_close(gem(features), expected.float())


@pytest.mark.parametrize("p", [1.0, 300.0])
def test_gem_goes_from_the_average_to_the_largest(p: float) -> None:
    features, gem = torch.rand(3, 5, 4, 6) * 50, GeM(flatten=True)
    nn.init.constant_(gem.p, p)
    expected = features.mean((2, 3)) if p == 1 else features.amax((2, 3))
    torch.testing.assert_close(gem(features), expected, rtol=0.02, atol=0)


def test_gradients_of_gem_equal_those_of_the_equation() -> None:
    features = (torch.rand(2, 3, 4, 4) + 0.1).requires_grad_()
    gem = GeM(flatten=True)
    gem(features).sin().sum().backward()
    again = features.detach().double().requires_grad_()
    p = torch.full((1,), 3.0, dtype=torch.float64, requires_grad=True)
    again.pow(p).mean((2, 3)).pow(1 / p).sin().sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert gem.p.grad is not None
    assert p.grad is not None
    assert again.grad is not None
    torch.testing.assert_close(features.grad, again.grad.float())
    torch.testing.assert_close(gem.p.grad, p.grad.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, -5.0, 1e30])
@pytest.mark.parametrize("p", [1.0, 3.0, 100.0])
def test_gem_is_finite_at_the_extremes(value: float, p: float) -> None:
    features, gem = torch.full((1, 2, 3, 3), value, requires_grad=True), GeM()
    nn.init.constant_(gem.p, p)
    pooled = gem(features)
    pooled.sum().backward()
    assert pooled.shape == (1, 2, 1, 1)
    assert bool(pooled.isfinite().all())
    for gradient in (features.grad, gem.p.grad):
        assert gradient is not None
        assert bool(gradient.isfinite().all())


def test_gem_computes_in_float32_whatever_it_is_given() -> None:
    features, gem = torch.rand(2, 3, 4, 4).bfloat16(), GeM(flatten=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = gem(features)
    assert pooled.dtype == torch.bfloat16
    assert torch.equal(pooled, gem(features.float()).bfloat16())


# Pooled and then flattened, pooled before a convolution, with channels last, and fast.
MODELS = ["test_efficientnet", "test_resnet", "mobilenetv3_small_050", "test_convnext", "swin_tiny_patch4_window7_224"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("pool", ["avg", "max", "gem"])
def test_the_last_feature_map_is_pooled_as_asked(name: str, pool: str) -> None:
    plain, model = build(name, classes=7).eval(), build(name, classes=7, pool=pool).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    size = 224 if name.startswith("swin") else 64
    images = torch.rand(2, 3, size, size)
    place = next(module for module in model.modules() if type(module).__name__ == "SelectAdaptivePool2d")
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    place.register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
    with torch.inference_mode():
        logits, before = model(images), plain(images)
    features, pooled = seen[0]
    dims = (1, 2) if name.startswith("swin") else (2, 3)
    expected = {
        "avg": features.mean(dims),
        "max": features.amax(dims),
        "gem": features.clamp_min(1e-6).pow(3).mean(dims).pow(1 / 3),
    }[pool]
    torch.testing.assert_close(pooled.flatten(1), expected)
    assert torch.allclose(logits, before, atol=1e-5) == (pool == "avg")


def test_the_exponent_is_learnt_with_the_backbone_and_not_decayed() -> None:
    model = build("test_efficientnet", classes=7, pool="gem")
    name = exponent_name(model)
    assert name == "global_pool.pool.p"
    exponent = model.get_parameter(name)
    assert exponent.shape == (1,)
    assert name not in head_names(model)
    assert any(parameter is exponent for parameter in backbone_parameters(model))
    model(torch.rand(2, 3, 32, 32)).square().sum().backward()
    assert exponent.grad is not None
    assert float(exponent.grad.abs()) > 0


@pytest.mark.parametrize("name", ["test_vit", "vit_tiny_r_s16_p8_224"])
def test_a_model_that_pools_otherwise_is_refused(name: str) -> None:
    with torch.device("meta"), pytest.raises(MaskkitError, match="cannot pool by gem"):
        build(name, classes=7, pool="gem")
    assert exponent_name(build("test_vit", classes=7)) is None


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(MaskkitError, match="unknown pooling: 'median'") as caught:
        build("test_resnet", classes=7, pool="median")
    assert caught.value.why == "there are default, avg, max, gem"
