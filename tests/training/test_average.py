from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from maskkit.options import techniques
from maskkit.options.choices import parse
from maskkit.training.average import (
    AVERAGES,
    Ema,
    NoAverage,
    Swa,
    averaging,
    measure_batch_norm,
    warm_decay,
)


def single_weight(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def weight_of(model: nn.Module) -> float:
    return next(model.parameters()).item()


def no_batches() -> Iterator[Tensor]:
    return (pytest.fail("nobody needs them") for _ in range(1))


def set_weight(model: nn.Linear, value: float) -> None:
    nn.init.constant_(model.weight, value)


def test_decay_grows_from_a_tenth_to_the_one_asked_for() -> None:
    assert warm_decay(0.99, 0) == pytest.approx(1 / 10)
    assert warm_decay(0.99, 8) == pytest.approx(9 / 18)
    assert warm_decay(0.99, 890) == pytest.approx(0.99)
    assert warm_decay(0.99, 10**9) == 0.99


def test_an_ema_follows_the_weights_as_worked_out_by_hand() -> None:
    model = single_weight(0.0)
    average = Ema(model, decay=0.15)
    expected = 0.0
    for value, decay in ((10.0, 1 / 10), (20.0, 0.15), (-4.0, 0.15)):  # 2 / 11 would be above 0.15
        set_weight(model, value)
        average.after_step()
        expected = decay * expected + (1 - decay) * value
        assert weight_of(average.model) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", list(AVERAGES))
def test_every_average_starts_from_the_weights_it_follows(name: str) -> None:
    assert (
        weight_of(averaging(single_weight(3.0), parse(name, techniques.AVERAGES, option="--average")).model)
        == 3
    )


def test_an_ema_averages_batch_norms_statistics_and_copies_its_counter() -> None:
    model = nn.BatchNorm1d(2)
    average = Ema(model, decay=0.9)
    model(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))  # means 2 and 20, of which batch norm takes a tenth
    average.after_step()
    mine: dict[str, Tensor] = average.model.state_dict()
    assert mine["running_mean"].tolist() == pytest.approx([0.9 * 0.2, 0.9 * 2.0])
    assert int(mine["num_batches_tracked"]) == 1


@pytest.mark.parametrize("build", [partial(Ema, decay=0.9), partial(Swa, start=0.0)])
def test_an_average_neither_trains_nor_touches_the_model_it_follows(build: Any) -> None:
    model = single_weight(5.0)
    average: NoAverage = build(model)
    set_weight(model, 1.0)
    average.after_step()
    average.after_epoch(1, 1, no_batches())
    assert model.weight.item() == 1.0
    assert model.weight.requires_grad
    assert average.model is not model
    assert not any(weight.requires_grad for weight in average.model.parameters())


def test_without_an_average_the_model_itself_is_scored() -> None:
    model = single_weight(5.0)
    average = NoAverage(model)
    set_weight(model, 2.0)
    average.after_step()
    average.after_epoch(1, 1, no_batches())
    assert average.model is model
    assert average.state_dict() == {}


def swa_run(average: NoAverage, model: nn.Linear, weights: list[float], first: int = 1) -> list[float]:
    """Return the weight that is scored after each of the epochs, which end at the given weights."""
    scored = []
    for number, value in enumerate(weights[first - 1 :], first):
        set_weight(model, value + 100)
        average.after_step()  # what is inside an epoch does not count
        set_weight(model, value)
        average.after_step()
        average.after_epoch(number, len(weights), no_batches())
        scored.append(weight_of(average.model))
    return scored


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0.75, [8.0, 4.0, 6.0, (6 + 1) / 2]),  # algorithm 1: the weights after 75 %, and each later epoch's
        (0.7, [8.0, 4.0, 6.0, (6 + 1) / 2]),
        (0.5, [8.0, 4.0, (4 + 6) / 2, (4 + 6 + 1) / 3]),
        (0.0, [8.0, (8 + 4) / 2, (8 + 4 + 6) / 3, (8 + 4 + 6 + 1) / 4]),
        (1.0, [8.0, 4.0, 6.0, 1.0]),
    ],
)
def test_swa_is_the_mean_of_the_last_epochs_ends_and_before_them_the_model(
    start: float, expected: list[float]
) -> None:
    model = single_weight(0.0)
    assert swa_run(Swa(model, start=start), model, [8.0, 4.0, 6.0, 1.0]) == pytest.approx(expected)


@pytest.mark.parametrize("epochs", range(1, 41))
def test_swa_begins_at_the_exact_share_whatever_its_rounding(epochs: int) -> None:
    for first in range(1, epochs + 1):
        model = single_weight(0.0)
        average = Swa(model, start=first / epochs)
        for number in range(1, first + 1):
            average.after_epoch(number, epochs, no_batches())
        assert average.model is not model


class Normed(nn.Module):
    """A network whose second norm sees what the first makes, with dropout between."""

    def __init__(self, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(dropout)
        self.second, self.last_norm = nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)

    def forward(self, images: Tensor) -> Tensor:
        features = self.dropout(self.norm(self.first(images)))
        result: Tensor = self.last_norm(self.second(features))
        return result


def some_batches(*sizes: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(3)
    return [torch.randn(size, 3, 6, 5, generator=random) * 2 + 1 for size in sizes]


def same(first: nn.Module, second: nn.Module) -> bool:
    mine, its = first.state_dict(), second.state_dict()
    return all(torch.equal(mine[name], its[name]) for name in mine)


def test_measures_batch_norm_as_torch_does_where_there_is_no_dropout() -> None:
    torch.manual_seed(0)
    ours, theirs = Normed(dropout=0), Normed(dropout=0)
    theirs.load_state_dict(ours.state_dict())
    batches = some_batches(4, 4, 3)
    measure_batch_norm(ours, batches)
    update_bn(batches, theirs)
    assert same(ours, theirs)
    assert ours.norm.num_batches_tracked is not None
    assert int(ours.norm.num_batches_tracked) == 3
    assert ours.norm.momentum == 0.1


def test_measures_batch_norm_as_worked_out_by_hand() -> None:
    model = nn.BatchNorm1d(1)
    model(torch.tensor([[100.0], [500.0]]))  # is forgotten
    measure_batch_norm(model, [torch.tensor([[1.0], [3.0]]), torch.tensor([[4.0], [10.0]])])
    assert model.running_mean is not None
    assert model.running_var is not None
    assert model.running_mean.tolist() == [(2 + 7) / 2]
    assert model.running_var.tolist() == [
        (2 + 18) / 2
    ]  # unbiased: of two values, the square of half the difference times 2


def test_measuring_draws_no_random_number_and_ends_in_evaluation_mode() -> None:
    model = Normed().train()
    before = torch.get_rng_state()
    measure_batch_norm(model, some_batches(4))
    assert torch.equal(before, torch.get_rng_state())
    assert not any(module.training for module in model.modules())


def test_swa_measures_the_averaged_network_and_not_the_last() -> None:
    torch.manual_seed(0)
    model, batches = Normed(), some_batches(4, 4)
    average = Swa(model, start=0.0)
    ends = []
    for number in (1, 2):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight))
        ends.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
        average.after_epoch(number, 2, batches)
    expected = Normed(dropout=0)
    with torch.no_grad():
        for name, weight in expected.named_parameters():
            weight.copy_((ends[0][name] + ends[1][name]) / 2)
    update_bn(batches, expected)
    for name, tensor in average.model.state_dict().items():
        assert torch.allclose(tensor, expected.state_dict()[name], atol=1e-6), name


@pytest.mark.parametrize("build", [NoAverage, partial(Ema, decay=0.99), partial(Swa, start=0.3)])
@pytest.mark.parametrize("interrupted_after", [1, 2, 3])
def test_goes_on_from_its_state_as_if_never_interrupted(build: Any, interrupted_after: int) -> None:
    ends = [1.0, 5.0, 7.0, 11.0]
    model, other = single_weight(0.0), single_weight(0.0)
    whole: NoAverage = build(model)
    scored = swa_run(whole, model, ends)
    part: NoAverage = build(other)
    for number in range(1, interrupted_after + 1):
        set_weight(other, ends[number - 1] + 100)
        part.after_step()
        set_weight(other, ends[number - 1])
        part.after_step()
        part.after_epoch(number, len(ends), no_batches())
    resumed: NoAverage = build(other)
    resumed.load_state_dict(part.state_dict())
    assert weight_of(resumed.model) == weight_of(part.model)
    assert swa_run(resumed, other, ends, interrupted_after + 1) == scored[interrupted_after:]
