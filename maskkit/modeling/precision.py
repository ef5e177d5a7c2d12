"""Number formats and memory layouts that make a model fast on the device it runs on."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.depthwise import speed_up
from maskkit.options.train_options import Precision

Resolved = Literal["float32", "bfloat16", "float16"]


def resolve_precision(choice: Precision, device: torch.device) -> Resolved:
    """Turn "auto" into the precision that suits `device`.

    Args:
        choice: "auto", "float32", "bfloat16" or "float16". "auto" is bfloat16 where the processor computes
            with it itself, rather than by emulation, and float32 elsewhere. Which is faster there depends on
            the model: `maskkit.modeling.precision_trial` finds out.
        device: Where the model will run.

    Returns:
        "float32", "bfloat16" or "float16".

    Raises:
        MaskkitError: If `choice` is unknown, it is "bfloat16" and torch has no autocast for `device`, or it
            is "float16" elsewhere than on CUDA.
    """
    allowed = get_args(Precision)
    if choice not in allowed:
        raise MaskkitError(
            f"unknown precision: {choice!r}",
            why=f"the precisions are {', '.join(allowed)}",
            fix="use one of these",
        )
    if choice == "auto":
        return "bfloat16" if _computes_in_bfloat16(device) else "float32"
    if choice == "bfloat16" and not torch.amp.is_autocast_available(device.type):
        raise MaskkitError(
            f"cannot compute in bfloat16 on {device.type}",
            why="this version of torch has no mixed precision for that device",
            fix="use float32 or auto",
        )
    if choice == "float16" and device.type != "cuda":
        raise MaskkitError(
            f"cannot train in float16 on {device.type}",
            why="its small range needs gradients to be scaled, which is for CUDA devices without bfloat16",
            fix="use bfloat16, float32 or auto",
        )
    return choice


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context in which a model computes in `precision`.

    Args:
        device: Where the model runs.
        precision: As from `resolve_precision`.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bfloat16" else torch.float16)


def prepare(model: nn.Module, precision: str, device: torch.device) -> nn.Module:
    """Move `model` to `device` in the layout and with the convolutions that are fastest there.

    Weights become channels-last, which features then follow from the first convolution on. Names and values
    of the state are unchanged, copies (such as an EMA) are prepared too, and preparing again does no harm.

    Args:
        model: A model that `autocast(device, precision)` will surround.
        precision: "float32" or "bfloat16", as from `resolve_precision`.
        device: Where it will run.

    Returns:
        The same model, changed in place.
    """
    # torch's own annotation of `to` lacks a device together with a memory format.
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device.type == "cuda":
        # TensorFloat-32 for products of float32, as cuDNN has for convolutions by default. cudnn.benchmark
        # stays off: it picks kernels by the clock, and a resumed run would not equal an uninterrupted one.
        torch.set_float32_matmul_precision("high")
    if precision == "bfloat16" and device.type == "cpu":
        speed_up(model)
    return model


def _computes_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda" and torch.cuda.is_available():
        with torch.cuda.device(device):  # the question below is about the current device
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Private, but older than `get_capabilities`, the public call: it is missing from torch 2.6.
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
