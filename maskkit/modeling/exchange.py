"""Models as ONNX, the exchange format that other runtimes and languages read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError, reason
from maskkit.modeling.backbone import random_photos
from maskkit.modeling.device import threads_of

OPSET = 17  # of 2022: old enough for every runtime in use
# Torch takes the second, a function, for its answer, and so for yes: then C++ prints, as of torch 2.15.
PRINTING = {"_jit_onnx_log": lambda *_: None, "_jit_is_onnx_log_enabled": False}
INPUT, OUTPUT = "images", "logits"


def to_onnx(model: nn.Module, size: tuple[int, int], *, name: str = "the model") -> bytes:
    """Return `model` as ONNX that takes normalised `images` (N, 3, H, W), any N, to `logits` (N, classes).

    By tracing rather than `dynamo=True`, which takes four times as long (8 s against 2 for
    tf_efficientnet_lite0) and writes the paths of this machine's Python into the file. The model is in
    evaluation mode and on the CPU; the graph is tied to its height and width.

    Raises:
        MaskkitError: The model, which the error calls `name`, has a step that ONNX does not know.
    """
    images = random_photos(size, count=2).contiguous()
    try:
        # With two threads, tracing makes predicting 315 photos take 2.4 times the processor time.
        with _quiet(), threads_of(1), torch.no_grad():
            try:
                return _exported(model, images)
            except Exception:  # torch has a dozen kinds for this
                with _plain_attention(model):
                    return _exported(model, images)
    except Exception as error:
        raise MaskkitError(
            f"{name} cannot be written as ONNX",
            why=reason(error),
            fix="use --runtime torch to predict with it",
        ) from error


def _exported(model: nn.Module, images: Tensor) -> bytes:
    memory: Any = io.BytesIO()  # no file: a full temporary folder must not decide what computes a model
    torch.onnx.export(
        model, (images,), memory, dynamo=False, opset_version=OPSET, input_names=[INPUT],
        output_names=[OUTPUT], dynamic_axes={INPUT: {0: "photos"}, OUTPUT: {0: "photos"}},
    )  # fmt: skip
    return bytes(memory.getvalue())


@contextmanager
def _plain_attention(model: nn.Module) -> Iterator[None]:
    """Let timm's attention compute by single steps, where tracing stumbles over torch's function for all."""
    fused: list[Any] = [module for module in model.modules() if getattr(module, "fused_attn", False) is True]
    for module in fused:
        module.fused_attn = False
    try:
        yield
    finally:
        for module in fused:
            module.fused_attn = True


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from warning that sizes become constants, which they should, and from printing whole graphs.

    Whatever its settings, it prints a graph that it cannot convert, thousands of lines, to standard output.
    """
    before = {name: getattr(torch._C, name, None) for name in PRINTING}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name, instead in PRINTING.items():
                setattr(torch._C, name, instead)
            yield
        finally:
            for name, own in before.items():
                setattr(torch._C, name, own)
