from copy import deepcopy
from typing import cast

import pytest
import torch
from timm.layers.create_conv2d import create_conv2d
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.precision import autocast, prepare, resolve_precision
from maskkit.options.train_options import Precision

CPU = torch.device("cpu")


def depthwise(kernel: int, stride: int, padding: str = "") -> nn.Module:
    """One depthwise convolution of timm; padding "same" gives its own class of convolution."""
    torch.manual_seed(0)
    convolution: nn.Module = create_conv2d(  # type: ignore[no-untyped-call]
        8, 8, kernel, stride=stride, padding=padding, depthwise=True
    )
    return convolution


def in_bfloat16(model: nn.Module, images: Tensor) -> Tensor:
    with autocast(CPU, "bfloat16"):
        return cast(Tensor, model(images))


def photos(size: int = 15) -> Tensor:
    return torch.randn(2, 8, size, size, generator=torch.Generator().manual_seed(1))


def test_explicit_choices_stay_as_they_are() -> None:
    assert resolve_precision("float32", CPU) == "float32"
    assert resolve_precision("bfloat16", CPU) == "bfloat16"


def test_auto_asks_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_avx, has_amx in ((True, False), (False, True), (False, False)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda answer=has_avx: answer)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda answer=has_amx: answer)
        expected = "bfloat16" if has_avx or has_amx else "float32"
        assert resolve_precision("auto", CPU) == expected


def test_auto_is_float32_where_bfloat16_is_not_known_to_be_fast() -> None:
    assert resolve_precision("auto", torch.device("mps")) == "float32"


def test_refuses_an_unknown_precision_and_lists_those_allowed() -> None:
    with pytest.raises(MaskkitError, match="'half'") as caught:
        resolve_precision(cast(Precision, "half"), CPU)
    assert "auto, float32, bfloat16" in caught.value.why


def test_refuses_bfloat16_on_a_device_without_autocast() -> None:
    with pytest.raises(MaskkitError, match="bfloat16 on meta"):
        resolve_precision("bfloat16", torch.device("meta"))


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_autocast_computes_in_the_precision(precision: str, dtype: torch.dtype) -> None:
    with autocast(CPU, precision):
        assert nn.Linear(4, 4)(torch.ones(2, 4)).dtype == dtype


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_become_channels_last_and_keep_names_and_values(precision: str) -> None:
    model = build("test_efficientnet", classes=3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = prepare(model, precision, CPU).state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert after["conv_stem.weight"].is_contiguous(memory_format=torch.channels_last)


def test_float32_training_is_left_alone() -> None:
    model = depthwise(5, 2)
    expected = in_bfloat16(deepcopy(model).to(memory_format=torch.channels_last), photos())
    assert torch.equal(in_bfloat16(prepare(model, "float32", CPU), photos()), expected)


def test_preparing_twice_and_loading_a_state_change_nothing() -> None:
    model = prepare(depthwise(5, 2), "bfloat16", CPU)
    before = in_bfloat16(model, photos())
    other = prepare(prepare(depthwise(5, 2), "bfloat16", CPU), "bfloat16", CPU)
    other.load_state_dict(model.state_dict())
    assert torch.equal(in_bfloat16(other, photos()), before)


def test_gradients_stay_close_to_those_of_float32() -> None:
    torch.manual_seed(0)
    plain = build("test_efficientnet", classes=3)
    hybrid = prepare(deepcopy(plain), "bfloat16", CPU)
    images = torch.randn(8, 3, 32, 32)
    gradients = []
    for model, precision in ((plain, "float32"), (hybrid, "bfloat16")):
        with autocast(CPU, precision):
            logits = model(images)
        nn.functional.cross_entropy(logits.float(), torch.arange(8) % 3).backward()  # type: ignore[no-untyped-call]
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.98
