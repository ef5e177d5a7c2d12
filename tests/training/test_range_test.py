import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from math import inf, log10, nan
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.options.choices import Choice
from maskkit.training.optimizers import build_optimizer
from maskkit.training.range_test import RULE, nothing_changed, range_test

OPTIMIZERS = ["adamw", "sgd", "adamp", "lamb", "madgradw", "lion", "muon", "adafactorbv"]


def told(losses: list[float]) -> Callable[[float], float]:
    """A training whose losses are given."""
    left = iter(losses)
    return lambda _: next(left)


def valley(rate: float) -> float:
    """A loss that falls to its lowest at a rate of 0.01, and rises from there."""
    return 1 + (log10(rate) + 2) ** 2


def test_raises_the_rate_by_a_constant_factor_from_the_start_to_the_end() -> None:
    asked: list[float] = []

    def step(rate: float) -> float:
        asked.append(rate)
        return 1 / len(asked)

    curve = range_test(step, start=1e-4, end=1.0, steps=5)
    assert asked == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert list(curve.rates) == asked
    assert list(curve.losses) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert (
        curve.stopped
        == "the highest rate, 1, was reached while the loss still fell; a higher one may do better"
    )


def test_smooths_as_if_the_average_had_not_begun_at_nothing_worked_out_by_hand() -> None:
    curve = range_test(told([3.0, 2.0, 1.0]), steps=3)
    second = (0.9 * 3 + 2) / (1 + 0.9)
    third = (0.81 * 3 + 0.9 * 2 + 1) / (1 + 0.9 + 0.81)
    assert curve.smoothed == pytest.approx([3, second, third])


def test_a_constant_loss_is_smoothed_to_itself() -> None:
    curve = range_test(told([2.0] * 9 + [1.9]), steps=10)
    assert curve.smoothed[:9] == pytest.approx([2.0] * 9)


def test_says_when_the_highest_rate_was_reached_and_the_loss_had_risen_by_then() -> None:
    curve = range_test(told([3.0, 1.0, 5.0]), end=0.5, steps=3)
    assert curve.stopped == "the highest rate, 0.5, was reached"


def test_suggests_a_tenth_of_the_rate_of_the_lowest_smoothed_loss() -> None:
    curve = range_test(valley, start=1e-5, end=1.0, steps=200)
    lowest = curve.rates[curve.smoothed.index(min(curve.smoothed))]
    assert curve.suggestion == pytest.approx(lowest / 10, rel=0.05)  # two digits
    assert float(f"{curve.suggestion:.2g}") == curve.suggestion
    assert 1e-3 <= curve.suggestion < 2e-3  # a tenth of 0.01, and what smoothing delays
    assert curve.rule == RULE
    assert "tenth" in RULE


def test_stops_when_the_smoothed_loss_is_four_times_its_lowest() -> None:
    curve = range_test(told([2.0, 1.0, *[100.0] * 8]), start=1e-3, end=1.0, steps=10)
    assert list(curve.losses) == [2, 1, 100]
    assert curve.smoothed[-1] > 4 * min(curve.smoothed)
    assert "4 times its lowest at the rate 0.0046" in curve.stopped


@pytest.mark.parametrize("broken", [nan, inf, -inf])
def test_stops_when_the_loss_is_not_finite_and_keeps_what_is(broken: float) -> None:
    curve = range_test(told([3.0, 2.0, 1.0, broken]), start=1e-3, end=1.0, steps=10)
    assert list(curve.losses) == [3, 2, 1]
    assert len(curve.rates) == len(curve.smoothed) == 3
    assert "no longer finite at the rate 0.01" in curve.stopped


def test_a_loss_below_nothing_does_not_run_away() -> None:
    curve = range_test(told([-1.0, -2.0, -3.0, -2.0]), steps=4)
    assert len(curve.losses) == 4


@pytest.mark.parametrize("losses", [[1.0, 2.0, 3.0], [nan, 1.0, 1.0], [1.0, nan, 1.0]])
def test_refuses_to_suggest_a_rate_if_nothing_was_learnt(losses: list[float]) -> None:
    with pytest.raises(MaskkitError, match="no learning rate to suggest") as caught:
        range_test(told(losses), steps=3)
    assert "lower rate" in caught.value.fix


@pytest.mark.parametrize("seed", range(5))
def test_finds_a_rate_at_which_gradient_descent_converges(seed: int) -> None:
    """On a quadratic, 2 over its curvature is the rate above which it diverges."""
    noise, curvature, place = np.random.default_rng(seed), 40.0, 3.0

    def step(rate: float) -> float:
        nonlocal place
        loss = 0.5 * curvature * place**2 + 1
        place -= rate * (curvature * place + noise.normal(0, 3))
        return float(loss + noise.normal(0, 0.1))

    curve = range_test(step, start=1e-5, end=10.0, steps=150)
    assert 0.01 * 2 / curvature < curve.suggestion < 0.5 * 2 / curvature
    assert curve.rates[-1] < 10


class Everything:
    """All that a test may change, to be compared to the last bit."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        self.gradients = [None if each.grad is None else each.grad.clone() for each in model.parameters()]
        self.plain = [each.requires_grad for each in model.parameters()] + [
            module.training for module in model.modules()
        ]
        self.state = list(flat(deepcopy(optimizer.state_dict())))
        self.random = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())  # noqa: NPY002

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Everything)
        mine, its = ([*each.tensors.values(), *each.gradients, *each.state] for each in (self, other))
        return len(mine) == len(its) and (self.plain, self.random) == (other.plain, other.random) and all(
            torch.equal(one, two) and one.dtype == two.dtype if isinstance(one, torch.Tensor) else one == two
            for one, two in zip(mine, its, strict=True)
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]


def flat(value: Any) -> Iterator[Any]:
    """Give the leaves of a state and its keys, in order."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from flat(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
    else:
        yield value


def seen(model: nn.Module, optimizer: torch.optim.Optimizer) -> Everything:
    """Note everything; the random numbers that this draws are put back."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    found = Everything(model, optimizer)
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])
    return found


def learn(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    images, target = torch.randn(4, 3, 32, 32), torch.arange(4) % 3
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(model(images), target).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def spoil(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Change all there is to change."""
    for group in optimizer.param_groups:
        group["lr"], group["new"] = 1e9, 1
    learn(model, optimizer)
    learn(model, optimizer)
    model.eval()
    next(model.parameters()).requires_grad_(False)
    next(model.parameters()).grad = None
    with torch.no_grad():
        for tensor in model.buffers():
            tensor.zero_()
        list(model.parameters())[-1].fill_(nan)
    random.random()
    np.random.rand(2)  # noqa: NPY002


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("failure", [None, RuntimeError, KeyboardInterrupt])
def test_everything_is_put_back_to_the_last_bit(
    name: str, has_begun: bool, failure: type[BaseException] | None
) -> None:
    torch.manual_seed(0)
    model = build("test_efficientnet", classes=3, drop_rate=0.2)
    choice = Choice(name, {"weight_decay": 0.05, "layer_decay": 1.0, "head": 2.0})
    optimizer = build_optimizer(model, choice, 1e-3)
    model.get_submodule("conv_stem").eval()  # modes need not be the same everywhere
    list(model.parameters())[3].requires_grad_(False)
    if has_begun:
        learn(model, optimizer)
    before, objects = seen(model, optimizer), [*model.parameters(), *model.buffers()]
    try:
        with nothing_changed(model, optimizer):
            spoil(model, optimizer)
            assert seen(model, optimizer) != before
            if failure is not None:
                raise failure
    except (RuntimeError, KeyboardInterrupt):
        assert failure is not None
    assert seen(model, optimizer) == before
    assert all(one is two for one, two in zip(objects, [*model.parameters(), *model.buffers()], strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_goes_on_as_if_there_had_been_no_test(name: str) -> None:
    def trained(tested: bool) -> list[float]:
        torch.manual_seed(0)
        model = build("test_efficientnet", classes=3, drop_rate=0.2)
        choice = Choice(name, {"weight_decay": 0.05, "layer_decay": 1.0, "head": 2.0})
        optimizer = build_optimizer(model, choice, 1e-3)
        learn(model, optimizer)
        if tested:
            with nothing_changed(model, optimizer):
                spoil(model, optimizer)
        learn(model, optimizer)
        return [value for each in model.state_dict().values() for value in each.flatten().tolist()]

    assert trained(tested=True) == trained(tested=False)
