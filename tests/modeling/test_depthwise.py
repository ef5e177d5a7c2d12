import pickle
from copy import deepcopy
from typing import cast

import pytest
import torch
from timm.layers.create_conv2d import create_conv2d
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from maskkit.modeling.depthwise import speed_up
from maskkit.modeling.device import autocast

CPU = torch.device("cpu")
SHAPES = [  # of the kernel and stride of slow depthwise convolutions; "same" is timm's own class
    (3, 2, ""), (5, 1, ""), (5, 2, ""), (7, 1, ""), (7, 3, ""), (4, 1, ""), (2, 2, ""),
    (5, 2, "same"), (3, 2, "same"),
]  # fmt: skip


def depthwise(kernel: int, stride: int, padding: str = "", *, bias: bool = False) -> nn.Conv2d:
    torch.manual_seed(0)
    convolution: nn.Conv2d = create_conv2d(  # type: ignore[no-untyped-call]
        8, 8, kernel, stride=stride, padding=padding, depthwise=True, bias=bias
    )
    return convolution.to(memory_format=torch.channels_last)


def sped_up(model: nn.Module) -> nn.Module:
    model = deepcopy(model)
    speed_up(model)
    return model


def in_bfloat16(model: nn.Module, images: Tensor) -> Tensor:
    with autocast(CPU, "bfloat16"):
        return cast(Tensor, model(images))


def photos(height: int = 15, width: int = 11) -> Tensor:
    images = torch.randn(2, 8, height, width, generator=torch.Generator().manual_seed(1))
    return images.to(memory_format=torch.channels_last)


def gradients(model: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the gradients of the photos and of the parameters, in bfloat16 if the photos are float32."""
    images = images.clone().requires_grad_()
    maps = in_bfloat16(model, images) if images.dtype == torch.float32 else model(images)
    pull = torch.randn(maps.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return list(torch.autograd.grad(maps, [images, *model.parameters()], pull.to(maps.dtype)))


@pytest.mark.parametrize("size", [(15, 11), (16, 12), (4, 3), (2, 1)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), SHAPES)
def test_gradients_are_those_of_exact_arithmetic_but_for_rounding(
    kernel: int, stride: int, padding: str, bias: bool, size: tuple[int, int]
) -> None:
    model = depthwise(kernel, stride, padding, bias=bias)
    if min(size) + 2 * cast(int, model.padding[0]) < kernel and padding != "same":
        pytest.skip("there is not one place for the kernel")
    images = photos(*size)
    exact = gradients(deepcopy(model).double(), images.double())
    found = gradients(sped_up(model), images)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, rtol=0.02, atol=0.02 * scale)


@pytest.mark.parametrize(("kernel", "stride", "padding"), SHAPES[:-3] + SHAPES[-2:])
def test_the_forward_is_that_of_bfloat16(kernel: int, stride: int, padding: str) -> None:
    model = depthwise(kernel, stride, padding)
    with torch.no_grad():
        expected = in_bfloat16(model, photos())
    trained = in_bfloat16(sped_up(model), photos())
    assert trained.dtype == torch.bfloat16
    assert torch.equal(trained, expected)


def test_float32_and_inference_are_left_alone() -> None:
    model = depthwise(5, 2)
    fast = sped_up(model)
    assert torch.equal(fast(photos()), model(photos()))
    with torch.no_grad():
        assert torch.equal(in_bfloat16(fast, photos()), in_bfloat16(model, photos()))


def test_fast_convolutions_compute_as_torch_does() -> None:
    dense = nn.Conv2d(8, 8, 5, stride=2)
    for model in (depthwise(3, 1), dense):
        fast, images = sped_up(model), photos()
        assert all(map(torch.equal, gradients(fast, images), gradients(model, images)))


class Scaled(nn.Conv2d):
    """A convolution that does more than one, as weight standardisation does."""

    def forward(self, images: Tensor) -> Tensor:
        return 3 * super().forward(images)


@pytest.mark.parametrize(
    "odd",
    [
        Scaled(8, 8, 5, groups=8),
        nn.Conv2d(8, 8, 5, groups=8, dilation=2),
        nn.Conv2d(8, 16, 5, groups=8),
        nn.Conv2d(8, 8, 5, groups=8, padding="same"),
        nn.Conv2d(8, 8, 5, groups=8, padding=2, padding_mode="reflect"),
    ],
)
def test_convolutions_of_an_unknown_kind_train_in_float32(odd: nn.Conv2d) -> None:
    trained = in_bfloat16(sped_up(odd), photos())
    assert torch.equal(trained, odd(photos()).to(torch.bfloat16))


@pytest.mark.parametrize("frozen", ["photos", "weight"])
def test_gradients_that_nobody_wants_are_not_computed(frozen: str) -> None:
    model = sped_up(depthwise(5, 1))
    images = photos().requires_grad_(frozen != "photos")
    model.requires_grad_(frozen != "weight")
    in_bfloat16(model, images).sum().backward()  # type: ignore[no-untyped-call]
    weight = cast(Tensor, model.weight)
    assert (images.grad is None, weight.grad is None) == (frozen == "photos", frozen == "weight")


@pytest.mark.parametrize("how", ["deepcopy", "average", "pickle"])
def test_a_copy_computes_with_its_own_weights(how: str) -> None:
    model = sped_up(nn.Sequential(depthwise(5, 2)))
    copies = {
        "deepcopy": lambda: deepcopy(model),
        "average": lambda: AveragedModel(model),
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
    }
    copy = copies[how]()  # type: ignore[no-untyped-call]
    before = in_bfloat16(model, photos())
    assert torch.equal(in_bfloat16(copy, photos()), before)  # sped up as well
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.zero_()
    assert in_bfloat16(copy, photos()).eq(0).all()
    assert torch.equal(in_bfloat16(model, photos()), before)


def test_convolutions_of_three_dimensions_train_in_float32() -> None:
    torch.manual_seed(0)
    plain = nn.Conv3d(1, 4, (1, 9, 9), padding=(0, 4, 4))
    maps = torch.randn(2, 1, 16, 3, 2)
    in_bfloat16(fast := sped_up(plain), maps).sum().backward()  # type: ignore[no-untyped-call]
    exact = torch.autograd.grad(plain(maps).sum(), plain.weight)[0]
    given = fast.get_parameter("weight").grad
    assert given is not None
    torch.testing.assert_close(given, exact, rtol=1e-5, atol=1e-5)  # to the digits of float32


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 2, (2, 1)), (3, 2, (1, 1)), (5, 2, (3, 1))])
def test_weights_that_meet_nothing_but_padding_have_no_gradient(
    kernel: int, stride: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 64, kernel, stride=stride, padding=kernel // 2).to(
        memory_format=torch.channels_last
    )
    maps = torch.randn(4, 64, *size).contiguous(memory_format=torch.channels_last)
    exact = torch.autograd.grad(layer(maps).sum(), layer.weight)[0]
    fast = sped_up(layer)
    for _ in range(3):
        dirty = [torch.full((count,), float("nan")) for count in (10**3, 10**4, 10**5, 10**6)]
        del dirty  # what oneDNN gets next may hold it
        fast.zero_grad()
        in_bfloat16(fast, maps).sum().backward()  # type: ignore[no-untyped-call]
        given = fast.get_parameter("weight").grad
        assert given is not None
        torch.testing.assert_close(given, exact, rtol=0.01, atol=0.01)
