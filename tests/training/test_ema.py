import pytest
import torch
from torch import Tensor, nn

from maskkit.training.ema import Average, warm_decay


def single_weight(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def test_decay_grows_from_a_tenth_to_the_one_asked_for() -> None:
    assert warm_decay(0.99, 0) == pytest.approx(1 / 10)
    assert warm_decay(0.99, 8) == pytest.approx(9 / 18)
    assert warm_decay(0.99, 890) == pytest.approx(0.99)
    assert warm_decay(0.99, 10**9) == 0.99


def test_follows_the_weights_as_worked_out_by_hand() -> None:
    model = single_weight(0.0)
    average = Average(model, decay=0.15)
    expected = 0.0
    for value, decay in ((10.0, 1 / 10), (20.0, 0.15), (-4.0, 0.15)):  # 2 / 11 would be above 0.15
        nn.init.constant_(model.weight, value)
        average.update()
        expected = decay * expected + (1 - decay) * value
        assert float(average.model.weight) == pytest.approx(expected, rel=1e-6)  # type: ignore[arg-type]


def test_starts_from_the_weights_it_follows() -> None:
    assert float(Average(single_weight(3.0), decay=0.9).model.weight) == 3.0  # type: ignore[arg-type]


def test_averages_batch_norms_statistics_and_copies_its_counter() -> None:
    model = nn.BatchNorm1d(2)
    average = Average(model, decay=0.9)
    model(torch.tensor([[1.0, 10.0], [3.0, 30.0]]))  # means 2 and 20, of which batch norm takes a tenth
    average.update()
    mine: dict[str, Tensor] = average.model.state_dict()
    assert mine["running_mean"].tolist() == pytest.approx([0.9 * 0.2, 0.9 * 2.0])
    assert int(mine["num_batches_tracked"]) == 1


def test_neither_trains_nor_touches_the_model_it_follows() -> None:
    model = single_weight(5.0)
    average = Average(model, decay=0.9)
    nn.init.constant_(model.weight, 1.0)
    average.update()
    assert model.weight.item() == 1.0
    assert model.weight.requires_grad
    assert not any(weight.requires_grad for weight in average.model.parameters())


def test_goes_on_from_its_state_as_if_never_interrupted() -> None:
    model = single_weight(0.0)
    whole, part = Average(model, decay=0.99), Average(model, decay=0.99)
    nn.init.constant_(model.weight, 1.0)
    whole.update()
    part.update()
    resumed = Average(model, decay=0.99)
    resumed.load_state_dict(part.state_dict())
    nn.init.constant_(model.weight, 2.0)
    whole.update()
    resumed.update()
    assert torch.equal(whole.model.weight, resumed.model.weight)  # type: ignore[arg-type]
    assert resumed.updates == 2
