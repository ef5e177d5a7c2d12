import logging
import os
import time
from pathlib import Path

import pytest
import torch
from no_bfloat16 import NoSlope, Picky
from torch import nn

from maskkit.modeling import precision_rule
from maskkit.modeling.backbone import build
from maskkit.modeling.precision_rule import fault_in_bfloat16, multiply_adds, precision_for

SIZE = (32, 32)


@pytest.fixture
def any_work_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_rule, "WORTH_IT", 0)


def test_counts_what_layers_multiply() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(8 * 30 * 30, 5)
    )
    by_hand = 32 * 32 * 8 * 27 + 30 * 30 * 8 * 9 + 8 * 30 * 30 * 5
    assert multiply_adds(model, SIZE) == by_hand


def test_counts_attention_which_is_no_layer_too() -> None:
    class Attention(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = images.flatten(2).mT  # (N, 1024, 3)
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    assert multiply_adds(Attention(), SIZE) == 2 * 1024 * 1024 * 3


def test_bfloat16_is_for_models_that_multiply_enough(caplog: pytest.LogCaptureFixture) -> None:
    big = build("resnet10t", classes=18)
    with caplog.at_level(logging.INFO, "maskkit"):
        assert precision_for(big, SIZE) == "bfloat16"
        assert precision_for(build("test_efficientnet", classes=18), SIZE) == "float32"
    first, second = caplog.messages
    assert (
        first == f"precision: bfloat16 ({multiply_adds(big, SIZE) / 1e6:.3g} million multiply-adds per photo)"
    )
    assert second == "precision: float32 (2.29 million multiply-adds per photo; bfloat16 is for 2.5 and more)"


@pytest.mark.usefixtures("any_work_is_worth_it")
def test_a_model_that_cannot_compute_in_bfloat16_trains_in_float32(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "maskkit"):
        assert precision_for(Picky(torch.bfloat16), SIZE) == "float32"
        assert precision_for(NoSlope(), SIZE) == "float32"
    assert caplog.messages == [
        'precision: float32 (in bfloat16, "fft" not implemented)',
        "precision: float32 (in bfloat16, gradients are not finite)",
    ]


def test_a_model_that_float32_cannot_compute_either_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not implemented"):
        precision_for(Picky(torch.float32), SIZE)


@pytest.mark.usefixtures("any_work_is_worth_it")
def test_neither_the_model_nor_randomness_nor_threads_are_changed() -> None:
    model = build("test_efficientnet", classes=3).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    precision_for(model, SIZE)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training
    assert all("forward" not in vars(module) for module in model.modules())


def test_asks_no_clock_and_counts_no_cores_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("a clock or the machine was asked")

    monkeypatch.setenv("MASKKIT_CACHE", str(tmp_path))
    for name in ("perf_counter", "process_time", "monotonic", "thread_time"):
        monkeypatch.setattr(time, name, asked)
    monkeypatch.setattr(os, "cpu_count", asked)
    monkeypatch.setattr(precision_rule, "WORTH_IT", 0)
    model = build("test_efficientnet", classes=3)
    assert precision_for(model, SIZE) == "bfloat16"
    assert fault_in_bfloat16(model, SIZE) is None
    assert not list(tmp_path.iterdir())


def test_the_choice_is_the_same_with_any_number_of_threads() -> None:
    model, threads = build("resnet10t", classes=18), torch.get_num_threads()
    try:
        found = []
        for number in (1, 2, 7):
            torch.set_num_threads(number)
            found.append((precision_for(model, SIZE), multiply_adds(model, SIZE)))
    finally:
        torch.set_num_threads(threads)
    assert len(set(found)) == 1
