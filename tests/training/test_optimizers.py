from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from timm.optim import list_optimizers  # type: ignore[attr-defined]
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.ending import head_names
from maskkit.options.choices import Choice
from maskkit.training.optimizers import build_optimizer, check_optimizer, optimizer_names

SHARED: Mapping[str, float] = {
    "weight_decay": 0.05, "layer_decay": 1.0, "head": 2.0, "clip": 1.0, "accumulate": 1,
}  # fmt: skip
MODEL = "test_efficientnet"
FEW = ["adamw", "sgd", "adamp", "lamb", "madgradw", "lion", "muon", "adafactorbv"]
ELSEWHERE = {"adahessian"}  # refused; as are those of bitsandbytes and apex


def chosen(name: str, **settings: float | bool) -> Choice:
    return Choice(name, {**SHARED, **settings})


def here(name: str) -> bool:
    """Whether an optimizer needs neither another package nor second derivatives."""
    return name not in ELSEWHERE and not name.startswith(("bnb", "fused"))


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def learn(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 2) -> float:
    """Make steps on one batch, and return the loss after them."""
    random = torch.Generator().manual_seed(1)
    images, target = torch.randn(6, 3, 32, 32, generator=random), torch.arange(6) % 3
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        return float(F.cross_entropy(model(images), target))


def test_the_default_makes_the_steps_of_torchs_adamw_on_two_rates_to_the_last_bit() -> None:
    torch.manual_seed(0)
    ours, theirs = build(MODEL, classes=3), build(MODEL, classes=3)
    theirs.load_state_dict(ours.state_dict())
    names, groups = set(head_names(theirs)), []
    for in_head, decay in ((False, 0.05), (False, 0.0), (True, 0.05), (True, 0.0)):
        members = [
            parameter
            for name, parameter in theirs.named_parameters()
            if (name in names) == in_head and (parameter.ndim > 1) == (decay > 0)
        ]
        groups.append({"params": members, "lr": 0.004 if in_head else 0.002, "weight_decay": decay})
    optimizer = build_optimizer(ours, chosen("adamw"), 0.002)
    torchs = torch.optim.AdamW(groups, fused=True)
    assert type(optimizer) is torch.optim.AdamW
    for mine, expected in zip(optimizer.param_groups, torchs.param_groups, strict=True):
        assert (mine["lr"], mine["weight_decay"]) == (expected["lr"], expected["weight_decay"])
        assert [tuple(each.shape) for each in mine["params"]] == [
            tuple(each.shape) for each in expected["params"]
        ]
    torch.manual_seed(1)
    learn(ours, optimizer)
    torch.manual_seed(1)
    learn(theirs, torchs)
    expected_weights = weights(theirs)
    assert all(torch.equal(tensor, expected_weights[name]) for name, tensor in weights(ours).items())


def test_one_step_of_sgd_with_nesterov_as_worked_out_by_hand() -> None:
    # Two steps on a gradient of 2: the velocity is 2, then 2 + 0.9 * 2; Nesterov steps by 2 + 0.9 * velocity.
    model = Linear()
    optimizer = build_optimizer(
        model, chosen("sgd", momentum=0.9, nesterov=True, weight_decay=0, head=1), 0.1
    )
    expected = 1.0
    for velocity in (2.0, 2 + 0.9 * 2):
        model.weight.grad = torch.full((1, 1), 2.0)
        optimizer.step()
        expected -= 0.1 * (2 + 0.9 * velocity)
        assert model.weight.item() == pytest.approx(expected)


def test_sgd_without_momentum_is_plain() -> None:
    model = Linear()
    optimizer = build_optimizer(
        model, chosen("sgd", momentum=0.0, nesterov=True, weight_decay=0.5, head=3), 0.1
    )
    model.weight.grad = torch.full((1, 1), 2.0)
    optimizer.step()
    assert model.weight.item() == pytest.approx(1 - 0.1 * 3 * (2 + 0.5 * 1))


class Linear(nn.Module):
    """A single weight of 1 that is all head, and no layers that it could tell."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))

    def get_classifier(self) -> nn.Module:
        return self


def test_knows_every_optimizer_of_timm() -> None:
    assert set(optimizer_names()) == {*list_optimizers(), "adamw", "sgd"}
    assert len(optimizer_names()) == len(set(optimizer_names()))


def share_moved(name: str) -> float:
    """Take a step with an optimizer, and return the share of the tensors that it changed."""
    torch.manual_seed(0)
    model = build(MODEL, classes=3)
    before = weights(model)
    optimizer = build_optimizer(model, chosen(name), 1e-3)
    assert optimizer.defaults["lr"] == 1e-3
    learn(model, optimizer)
    after = weights(model)
    assert all(bool(tensor.isfinite().all()) for tensor in after.values())
    moved = [name for name, tensor in after.items() if not torch.equal(tensor, before[name])]
    return len(moved) / len(after)


@pytest.mark.parametrize("name", FEW)
def test_optimizers_by_name_move_the_weights(name: str) -> None:
    assert share_moved(name) > 0.9


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name in optimizer_names() if here(name) and name not in FEW])
def test_every_other_optimizer_by_name_moves_the_weights(name: str) -> None:
    assert share_moved(name) > 0.9


@pytest.mark.parametrize("name", FEW)
def test_a_group_keeps_its_own_rate_and_decay_in_every_optimizer(name: str) -> None:
    optimizer = build_optimizer(build(MODEL, classes=3), chosen(name, head=10.0, weight_decay=0.3), 1e-3)
    found = {(group["lr"], group["weight_decay"]) for group in optimizer.param_groups}
    assert found == {(1e-3, 0.3), (1e-3, 0.0), (1e-2, 0.3), (1e-2, 0.0)}


@pytest.mark.parametrize(
    ("name", "suggestion"), [("adamW", "adamw"), ("nesterof", "nesterov"), ("lino", "lion")]
)
def test_suggests_the_optimizers_that_an_unknown_name_may_mean(name: str, suggestion: str) -> None:
    with pytest.raises(MaskkitError, match=f"unknown optimizer: '{name}'") as caught:
        check_optimizer(name)
    assert suggestion in caught.value.fix
    assert "`maskkit train --optimizer list` names most" in caught.value.fix


def test_refuses_an_optimizer_of_second_derivatives_before_any_work() -> None:
    with pytest.raises(MaskkitError, match="cannot train with adahessian"):
        check_optimizer("adahessian")


@pytest.mark.skipif(torch.cuda.is_available(), reason="it could work there")
@pytest.mark.parametrize("name", ["bnbadamw8bit", "fusedlamb"])
def test_says_what_an_optimizer_of_another_package_needs(name: str) -> None:
    with pytest.raises(MaskkitError, match=f"{name} cannot work here") as caught:
        build_optimizer(build(MODEL, classes=3), chosen(name), 1e-3)
    assert "CUDA" in caught.value.why
