"""How a feature map becomes one number per channel."""

from __future__ import annotations

import pytest
import torch
from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, parameter_groups
from maskkit.modeling.ending import head_names
from maskkit.modeling.pooling import GeM, exponent_name, set_pool


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


def by_hand(features: Tensor, pool: str, dims: tuple[int, int]) -> Tensor:
    """The three ways in plain words, (N, C)."""
    if pool == "gem":
        return features.clamp_min(1e-6).pow(3).mean(dims).pow(1 / 3)
    return features.mean(dims) if pool == "avg" else features.amax(dims)


@pytest.mark.parametrize("pool", ["avg", "max", "gem"])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize(("timms", "layout"), [("avg", "NCHW"), ("fast", "NCHW"), ("avg", "NHWC")])
def test_each_of_timms_layers_keeps_its_shape(timms: str, layout: str, flatten: bool, pool: str) -> None:
    model = nn.Sequential(SelectAdaptivePool2d(pool_type=timms, flatten=flatten, input_fmt=layout))
    features = torch.rand(2, 3, 4, 5) - 0.2
    shape = model(features).shape
    set_pool(model, pool)
    pooled = model(features)
    assert pooled.shape == shape
    dims = (2, 3) if layout == "NCHW" else (1, 2)
    torch.testing.assert_close(pooled.flatten(1), by_hand(features, pool, dims))


# Pooled and flattened, pooled before a convolution, and before a norm.
@pytest.mark.parametrize("name", ["test_efficientnet", "mobilenetv3_small_050", "test_convnext"])
@pytest.mark.parametrize("pool", ["avg", "max", "gem"])
def test_the_last_feature_map_of_a_model_is_pooled_as_asked(name: str, pool: str) -> None:
    plain, model = build(name, classes=7).eval(), build(name, classes=7, pool=pool).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(2, 3, 96, 96)
    place = next(module for module in model.modules() if isinstance(module, SelectAdaptivePool2d))
    seen: list[tuple[Tensor, Tensor]] = []
    place.register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
    with torch.inference_mode():
        logits, before = model(images), plain(images)
    features, pooled = seen[0]
    torch.testing.assert_close(pooled.flatten(1), by_hand(features, pool, (2, 3)))
    assert torch.allclose(logits, before, atol=1e-5) == (pool == "avg")


def test_the_exponent_is_learnt_with_the_backbone_and_not_decayed() -> None:
    model = build("test_efficientnet", classes=7, pool="gem")
    name = exponent_name(model)
    assert name == "global_pool.pool.p"
    exponent = model.get_parameter(name)
    assert exponent.shape == (1,)
    assert name not in head_names(model)
    groups = parameter_groups(model, learning_rate=0.1, head=4.0, weight_decay=0.05)
    (own,) = [group for group in groups if any(parameter is exponent for parameter in group["params"])]
    assert (own["lr"], own["weight_decay"]) == (0.1, 0)
    model(torch.rand(2, 3, 96, 96)).square().sum().backward()
    assert exponent.grad is not None
    assert float(exponent.grad.abs()) > 0


@pytest.mark.parametrize("name", ["test_vit", "vit_tiny_r_s16_p8_224"])
def test_a_model_that_pools_otherwise_is_refused(name: str) -> None:
    with torch.device("meta"), pytest.raises(MaskkitError, match="cannot pool by gem"):
        build(name, classes=7, pool="gem")
    assert exponent_name(build("test_vit", classes=7)) is None
