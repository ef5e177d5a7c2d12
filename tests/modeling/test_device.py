import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import cast

import pytest
import torch
from timm.layers.create_conv2d import create_conv2d
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.device import autocast, compiled, prepare, resolve_device, resolve_precision


def test_auto_is_the_processor_where_there_is_nothing_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")


def test_auto_takes_cuda_first_and_then_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


def test_a_device_that_is_not_there_is_an_error_that_lists_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(MaskkitError, match="there is no cuda device") as caught:
        resolve_device("cuda")
    assert caught.value.why == "this machine and this build of torch have cpu"
    assert caught.value.fix == "use --device auto"


def test_the_processor_is_always_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


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


def test_the_layout_is_that_of_torch_also_where_two_layouts_are_one() -> None:
    layers = [
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 2, 1),
        nn.Conv2d(3, 4, 3),
    ]  # strides choose the kernels
    theirs = nn.Sequential(*deepcopy(layers)).to(memory_format=torch.channels_last)
    ours = prepare(nn.Sequential(*layers), "float32", torch.device("cpu"))
    assert [one.stride() for one in ours.parameters()] == [one.stride() for one in theirs.parameters()]


def test_weights_of_five_dimensions_keep_their_layout() -> None:
    model = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Conv2d(3, 2, 3))  # as in LambdaNetworks
    prepare(model, "float32", torch.device("cpu"))
    assert cast(Tensor, model[0].weight).is_contiguous()
    assert cast(Tensor, model[1].weight).is_contiguous(memory_format=torch.channels_last)


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


CPU = torch.device("cpu")
WITHOUT_A_COMPILER = """
import torch
from torch import nn
from maskkit.errors import MaskkitError
from maskkit.modeling.device import compiled
try:
    compiled(nn.Linear(2, 2), torch.device("cpu"))
except MaskkitError as error:
    print(error)
"""


# torch 2.8 follows functions with gradients of their own by a way that it warns of itself.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_steps_are_those_of_the_model_and_its_names_stay() -> None:
    torch.manual_seed(0)
    model = prepare(build("test_efficientnet", classes=3), "bfloat16", CPU)
    names = list(model.state_dict())
    network = compiled(model, CPU, backend="eager").train()
    images = torch.randn(4, 3, 32, 32).to(memory_format=torch.channels_last)
    gradients = []
    for each in (model, network):
        with autocast(CPU, "bfloat16"):
            logits = each(images)
        model.zero_grad()
        logits.float().square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        assert ours is not None
        assert theirs is not None
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)
    assert list(model.state_dict()) == names
    assert model.training


def test_a_missing_compiler_is_an_error_that_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_A_COMPILER],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("error: cannot compile the model"), done.stderr
    assert "--compile" in done.stdout


def test_an_unknown_backend_is_an_error_too() -> None:
    with pytest.raises(MaskkitError, match="cannot compile"):
        compiled(torch.nn.Linear(2, 2), CPU, backend="none")
