"""Depthwise convolutions that train fast in bfloat16 on a CPU.

Without them one epoch of 210 photos by tf_efficientnet_lite0 takes 1.44 times the processor time, imports
included. Of oneDNN's bfloat16 kernels for the backward of a depthwise convolution, the one towards the images
is fast for a stride of 1 only, and the one towards the weights for kernels three wide only. Everything else
falls to loops that are 3 to 100 times slower. Here the first is replaced by float32, which has no such gap,
and the second by several kernels that are three wide.

CPU time on one AVX512-BF16 core, batches of 64, towards the weights, in ms: 480 channels, 5x5 kernel, 8x6
pixels: bfloat16 as it comes 54, float32 14, here 4. 1152 channels, 7x7 pixels: 155, 35, 12. Towards the
images, 96 channels, 3x3 kernel, stride 2, 65x49 pixels: bfloat16 133, float32 12.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeGuard, cast

import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn

FAST_WIDTH = 3  # of a kernel

Pair = tuple[int, int]


def speed_up(model: nn.Module) -> None:
    """Let the convolutions of a model train fast and rightly under bfloat16 autocast, in place.

    Slow depthwise ones become fast. Where maps are smaller than the kernel, some weights meet nothing but
    padding, and for these oneDNN's bfloat16 backward returns whatever the memory held, at times NaN; so it
    does for weights of three dimensions (LambdaNetworks). Those train in float32. What is computed without
    autocast, or without a backward to follow, stays as it is.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv3d) or (isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1):
            # A partial: unlike a closure, its deepcopy belongs to the copied module.
            module.forward = partial(_forward, module)  # type: ignore[method-assign]


def _is_slow(convolution: nn.Conv2d | nn.Conv3d) -> TypeGuard[nn.Conv2d]:
    """Whether oneDNN has no fast backward for a depthwise convolution in bfloat16."""
    return (
        isinstance(convolution, nn.Conv2d)
        and 1 < convolution.groups == convolution.in_channels
        and (max(convolution.stride) > 1 or max(convolution.kernel_size) > FAST_WIDTH)
    )


def _is_plain(convolution: nn.Conv2d) -> bool:
    """Whether its class adds nothing to the convolution but timm's padding, and `_Depthwise` knows it all."""
    return (
        type(convolution) in (nn.Conv2d, Conv2dSame)
        and convolution.out_channels == convolution.in_channels
        and convolution.dilation == (1, 1)
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and convolution.kernel_size[1] >= FAST_WIDTH
    )


def _forward(convolution: nn.Conv2d | nn.Conv3d, images: Tensor) -> Tensor:
    # That of the class, which may do more than convolve.
    forward: Callable[..., Tensor] = type(convolution).forward
    if not (torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")):
        return forward(convolution, images)
    dtype = torch.get_autocast_dtype("cpu")
    kernel = convolution.kernel_size
    is_small = any(side < width for side, width in zip(images.shape[-len(kernel) :], kernel, strict=True))
    if not (_is_slow(convolution) or is_small or isinstance(convolution, nn.Conv3d)):
        return forward(convolution, images)
    if not (_is_slow(convolution) and _is_plain(convolution)):
        with torch.autocast("cpu", enabled=False):
            return forward(convolution, images.float()).to(dtype)
    images = images.to(dtype)
    if isinstance(convolution, Conv2dSame):
        images = pad_same(images, list(convolution.kernel_size), list(convolution.stride))
    weight = convolution.weight.to(dtype)
    maps = _Depthwise.apply(images, weight, convolution.stride, convolution.padding)
    if convolution.bias is not None:
        maps = maps + convolution.bias.to(dtype).view(-1, 1, 1)
    return cast(Tensor, maps)  # (N, C, H', W')


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution of images (N, C, H, W) with a weight (C, 1, kernel height, kernel width)."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        images, weight = ctx.saved_tensors
        wants_images, wants_weight, *_ = ctx.needs_input_grad
        return (
            _towards_images(gradient, images, weight, ctx.stride, ctx.padding) if wants_images else None,
            _towards_weight(gradient, images, weight, ctx.stride, ctx.padding) if wants_weight else None,
            None,
            None,
        )


def _towards_images(gradient: Tensor, images: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    dtype = images.dtype
    if max(stride) > 1:
        gradient, weight = gradient.float(), weight.float()
        images = torch.empty_like(images, dtype=torch.float32)  # only its shape and layout are looked at
    return _backward(gradient, images, weight, stride, padding, images=True).to(dtype)


def _towards_weight(gradient: Tensor, images: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Return the gradient of the weight, (C, 1, kernel height, kernel width), a few columns at a time."""
    width = weight.shape[3]
    # Padded by hand: with photos no taller than the kernel, oneDNN's own padding is slow, and for weights
    # that meet nothing but padding it returns whatever the memory held.
    padded = F.pad(images, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else images
    columns, whole = weight[..., :FAST_WIDTH].contiguous(), torch.empty_like(weight)
    reach = stride[1] * (gradient.shape[3] - 1) + FAST_WIDTH
    for start in (*range(0, width - FAST_WIDTH, FAST_WIDTH), width - FAST_WIDTH):  # the last two may overlap
        part = padded[..., start : start + reach]
        whole[..., start : start + FAST_WIDTH] = _backward(
            gradient, part, columns, stride, (0, 0), images=False
        )
    return whole


def _backward(
    gradient: Tensor, to: Tensor, weight: Tensor, stride: Pair, padding: Pair, *, images: bool
) -> Tensor:
    """Return torch's own gradient, of the images or else of the weight."""
    found = torch.ops.aten.convolution_backward(
        gradient, to, weight, None, stride, padding, (1, 1), False, (0, 0), len(weight),
        (images, not images, False),
    )  # fmt: skip
    return cast(Tensor, found[0] if images else found[1])
