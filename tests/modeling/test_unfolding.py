from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from maskkit.modeling.backbone import build
from maskkit.modeling.folding import _pairs
from maskkit.modeling.unfolding import has_folded_norms, measure_norms

FAMILIES = ["test_resnet", "test_efficientnet"]  # plain norms, and timm's with an activation


def photos(count: int = 48) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def trained(name: str) -> nn.Module:
    """Return a model whose norms have learnt something, and know what they see."""
    torch.manual_seed(0)
    model = build(name, classes=5)
    for norm in norms_of(model):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias, 0, 0.5)
        norm.momentum = None  # an average of all batches
    with torch.no_grad():
        for _ in range(2):
            model.train()(photos())
    return model.eval()


def as_graph(model: nn.Module, *, variance: float = 0.999) -> nn.Module:
    """Return the model as a conversion of its inference graph would have it."""
    graph = deepcopy(model)
    for convolution, place in _pairs(graph, photos(2)):
        norm = graph.get_submodule(place)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        with torch.no_grad():
            convolution.weight.mul_(gain[:, None, None, None])
            norm.bias.sub_(gain * norm.running_mean)
            norm.weight.fill_(1)
            norm.running_mean.zero_()
            norm.running_var.fill_(variance)
    return graph


def norms_of(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


@torch.no_grad()
def logits(model: nn.Module, images: Tensor) -> Tensor:
    given: Tensor = model(images)
    return given


def assert_same(given: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(given, wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))


@torch.no_grad()
def distance(model: nn.Module) -> float:
    """Return how far logits in training mode are from those in evaluation mode, in their deviations."""
    wanted = logits(model.eval(), photos())
    return float((logits(deepcopy(model).train(), photos()) - wanted).std() / wanted.std())


@pytest.mark.parametrize("variance", [1.0, 0.999])
@pytest.mark.parametrize("name", FAMILIES)
def test_evaluation_stays_as_it_is_and_training_begins_near_it(name: str, variance: float) -> None:
    graph = as_graph(trained(name), variance=variance)
    wanted, far = logits(graph, photos(8)), distance(graph)
    assert has_folded_norms(graph)
    measure_norms(graph, torch.split(photos(), 20))  # the last batch is a smaller one
    assert_same(logits(graph, photos(8)), wanted)
    assert not has_folded_norms(graph)
    assert far > 0.5
    assert distance(graph) < 0.01


@pytest.mark.parametrize("name", FAMILIES)
def test_statistics_are_those_of_what_each_norm_sees(name: str) -> None:
    graph = as_graph(trained(name))
    seen: dict[nn.Module, Tensor] = {}
    hooks = [
        norm.register_forward_pre_hook(lambda norm, given: seen.update({norm: given[0]}))
        for norm in norms_of(graph)
    ]
    logits(graph, photos())
    for hook in hooks:
        hook.remove()
    measure_norms(graph, [photos()])
    assert len(seen) == len(norms_of(graph))
    for norm in norms_of(graph):
        values = seen[norm]
        torch.testing.assert_close(norm.running_mean, values.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            norm.running_var, values.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5
        )


def test_statistics_of_several_batches_are_those_of_all_photos_together() -> None:
    one, other = (as_graph(trained("test_resnet")) for _ in range(2))
    measure_norms(one, [photos()])
    measure_norms(other, torch.split(photos(), 7))
    for norm, found in zip(norms_of(one), norms_of(other), strict=True):
        for name, value in norm.state_dict().items():
            torch.testing.assert_close(found.state_dict()[name], value)


def test_a_channel_that_is_always_the_same_stays_finite() -> None:
    graph = as_graph(trained("test_resnet"))
    convolution, _ = _pairs(graph, photos(2))[0]
    with torch.no_grad():
        convolution.weight[0] = 0
    wanted = logits(graph, photos(8))
    measure_norms(graph, [photos()])
    assert_same(logits(graph, photos(8)), wanted)
    assert all(tensor.isfinite().all() for tensor in graph.state_dict().values())
    assert norms_of(graph)[0].running_var[0] == 0  # type: ignore[index]
    assert logits(graph.train(), photos()).isfinite().all()


def test_the_variance_of_large_values_that_hardly_vary_is_not_lost_in_rounding() -> None:
    norm = nn.BatchNorm1d(64)
    values = 1e4 + torch.randn(30, 64, generator=torch.Generator().manual_seed(3))
    measure_norms(norm, torch.split(values, 7))
    torch.testing.assert_close(
        norm.running_var, values.double().var(0, correction=0).float(), rtol=1e-2, atol=0
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_with_statistics_gives_its_answers_by_new_ones_too(name: str) -> None:
    model = trained(name)
    wanted = logits(model, photos(8))
    measure_norms(model, [photos() + 1])
    assert_same(logits(model, photos(8)), wanted)


def test_every_dimension_but_the_channels_is_averaged_over() -> None:
    flat, long = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    values = torch.randn(50, 3, 4, generator=torch.Generator().manual_seed(3)) * 5 + 2
    measure_norms(long, [values])
    measure_norms(flat, [values.transpose(1, 2).reshape(-1, 3)])
    for norm in (flat, long):
        torch.testing.assert_close(norm.running_mean, values.mean((0, 2)))
        torch.testing.assert_close(norm.running_var, values.var((0, 2), correction=0))


class HalfUsed(nn.Module):
    """A module of which one norm sees photos."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.BatchNorm1d(2), nn.BatchNorm1d(2)

    def forward(self, images: Tensor) -> Tensor:
        given: Tensor = self.used(images)
        return given


def test_a_norm_that_sees_nothing_and_the_modes_stay_as_they_were() -> None:
    model = HalfUsed().train()
    model.unused.eval()
    before = deepcopy(model.unused.state_dict())
    measure_norms(model, [torch.randn(9, 2)])
    assert all(torch.equal(before[name], value) for name, value in model.unused.state_dict().items())
    assert (model.training, model.used.training, model.unused.training) == (True, True, False)
    assert not model.used._forward_pre_hooks
    assert model.used.num_batches_tracked == 0  # none was seen in training mode


def test_hooks_are_gone_and_modes_are_back_after_an_error() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2)).train()
    with pytest.raises(ValueError, match="expected 2D or 3D input"):
        measure_norms(model, [torch.zeros(2, 2, 2, 2)])
    assert not model[0]._forward_pre_hooks
    assert model[0].training


@pytest.mark.parametrize("name", FAMILIES)
def test_neither_a_new_model_nor_one_that_has_learnt_is_taken_for_a_graph(name: str) -> None:
    assert not has_folded_norms(build(name, classes=5))
    assert not has_folded_norms(trained(name))


def test_a_model_without_batch_norms_is_no_graph() -> None:
    assert not has_folded_norms(build("test_vit", classes=5))
    plain = nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3, track_running_stats=False))
    nn.init.ones_(plain[1].bias)  # type: ignore[arg-type]
    assert not has_folded_norms(plain)
    measure_norms(plain, [photos(2)])  # and there is nothing to give


@pytest.mark.parametrize(
    ("tensor", "value"), [("weight", 1.01), ("running_var", 0.99), ("running_mean", 0.001)]
)
def test_a_single_channel_that_is_not_folded_tells_that_the_model_is_no_graph(
    tensor: str, value: float
) -> None:
    graph = as_graph(trained("test_resnet"))
    norms_of(graph)[-1].state_dict()[tensor][3] = value
    assert not has_folded_norms(graph)
