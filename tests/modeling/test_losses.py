"""What all losses share. What is peculiar to one is in the test file of its name."""

from functools import partial
from inspect import signature

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from maskkit.modeling.losses import BATCHWISE, COUNTING, LOSSES, SCALED

CLASSES = 6
COUNTS = torch.tensor([500, 40, 0, 7, 130, 1])  # the third class was not trained on
every_loss = pytest.mark.parametrize("name", LOSSES)
every_loss_of_examples = pytest.mark.parametrize("name", sorted(set(LOSSES) - BATCHWISE))


def loss(
    name: str, logits: Tensor, target: Tensor, *, weight: Tensor | None = None, counts: Tensor = COUNTS
) -> Tensor:
    needed = {"counts": counts} if name in COUNTING else {}
    return LOSSES[name](logits, target, weight=weight, **needed)


def one_hot(target: Tensor) -> Tensor:
    return F.one_hot(target, CLASSES).float()


def batch(rows: int = 9, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, CLASSES, generator=random)
    return logits, torch.randint(CLASSES, (rows,), generator=random)


def mixtures(rows: int = 9, *, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(rows, CLASSES, generator=random)).softmax(dim=1)


@every_loss
def test_the_sets_name_what_a_loss_takes(name: str) -> None:
    parameters = signature(LOSSES[name]).parameters
    assert ("counts" in parameters) == (name in COUNTING)
    assert ("scale" in parameters) == (name in SCALED)
    assert ("example_weight" in parameters) == (name in BATCHWISE)
    needed = {key for key, value in parameters.items() if value.default is value.empty}
    assert needed == {"logits", "target"} | ({"counts"} if name in COUNTING else set())


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_gives_one_value_per_example(name: str, weighted: bool) -> None:
    logits, target = batch()
    weight = torch.rand(CLASSES) if weighted else None
    for form in (target, one_hot(target), mixtures()):
        values = loss(name, logits, form, weight=weight)
        assert values.shape == (9,)
        assert values.dtype == torch.float32
        assert (values > 0).all()


@every_loss_of_examples
def test_examples_do_not_change_each_other(name: str) -> None:
    logits, target = batch()
    alone = torch.cat([loss(name, logits[i : i + 1], target[i : i + 1]) for i in range(9)])
    torch.testing.assert_close(alone, loss(name, logits, target))


@every_loss
@settings(deadline=None)  # the machine may be busy
@given(seed=st.integers(0, 2**32), weighted=st.booleans(), size=st.sampled_from([0.1, 1.0, 30.0]))
def test_one_hot_probabilities_equal_indices(name: str, seed: int, weighted: bool, size: float) -> None:
    logits, target = batch(seed=seed)
    weight = torch.rand(CLASSES) if weighted else None
    torch.testing.assert_close(
        loss(name, size * logits, one_hot(target), weight=weight),
        loss(name, size * logits, target, weight=weight),
    )


@every_loss
def test_computes_in_float32_whatever_it_is_given(name: str) -> None:
    logits, _ = batch()
    logits = logits.bfloat16().requires_grad_()
    target, weight = mixtures().double(), torch.rand(CLASSES, dtype=torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = loss(name, logits, target, weight=weight)
    expected = loss(name, logits.float(), target.float(), weight=weight.float())
    torch.testing.assert_close(values, expected, rtol=0, atol=0)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert gradient.dtype == torch.bfloat16
    assert gradient.isfinite().all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 0.0, 2.0])])
def test_loss_and_gradient_are_finite_at_extreme_logits(
    name: str, dtype: torch.dtype, weight: Tensor | None
) -> None:
    certain = [[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, 1e4, 1e4], [20.0, 0.0, -20.0], [-1e4, -1e4, -1e4]]
    logits = torch.tensor(certain, dtype=dtype, requires_grad=True)
    for target in (torch.tensor([0, 0, 1, 0, 2]), torch.tensor([[0.9, 0.1, 0.0]] * 5)):
        for counts in (torch.tensor([3, 2, 1]), torch.tensor([2_000_000, 0, 1])):
            values = loss(name, logits, target, weight=weight, counts=counts)
            (gradient,) = torch.autograd.grad(values.sum(), logits)
            assert values.isfinite().all()
            assert gradient.isfinite().all()
            assert name in BATCHWISE or values[1] > 1e3


@every_loss
def test_a_constant_added_to_all_logits_changes_nothing(name: str) -> None:
    logits, target = batch()
    torch.testing.assert_close(loss(name, logits + 7, target), loss(name, logits, target))


@every_loss
@settings(deadline=None)  # the machine may be busy
@given(seed=st.integers(0, 2**32))
def test_falls_as_the_logit_of_the_target_grows(name: str, seed: int) -> None:
    logits, target = batch(seed=seed)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(name, logits, target).sum(), logits)
    assert (gradient.gather(1, target[:, None]) < 0).all()


@every_loss_of_examples
def test_the_weight_of_a_class_is_a_factor(name: str) -> None:
    logits, target = batch(rows=40)
    weight = torch.tensor([0.5, 0.0, 2.0, 1.0, 3.0, 0.1])
    weighted = loss(name, logits, target, weight=weight)
    torch.testing.assert_close(weighted, weight[target] * loss(name, logits, target))
    mixed = mixtures(40)
    once, twice = (loss(name, logits, mixed, weight=factor * weight) for factor in (1, 2))
    torch.testing.assert_close(twice, 2 * once)


@every_loss
def test_memorises_one_batch(name: str) -> None:
    torch.manual_seed(0)
    inputs, target = torch.randn(24, 64), torch.arange(24) % CLASSES
    model = nn.Linear(64, CLASSES)
    nn.init.zeros_(model.weight)  # undecided: soft F1 alone does not always leave an error that it is sure of
    criterion = partial(loss, name, target=target, counts=target.bincount(minlength=CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    first = criterion(logits=model(inputs)).mean().item()
    for _ in range(200):
        optimizer.zero_grad()
        criterion(logits=model(inputs)).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert (model(inputs).argmax(dim=1) == target).all()
    assert criterion(logits=model(inputs)).mean().item() < first / 20
