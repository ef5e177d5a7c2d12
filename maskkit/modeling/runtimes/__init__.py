"""What computes a trained model's logits: a choice by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import random_photos
from maskkit.modeling.folding import folded
from maskkit.modeling.precision import prepare, resolve_precision
from maskkit.modeling.runtimes.in_onnx import in_onnx
from maskkit.modeling.runtimes.in_openvino import in_openvino
from maskkit.modeling.runtimes.in_torch import in_torch
from maskkit.modeling.runtimes.ties import settled
from maskkit.options.train_options import Precision, Runtime

Classifier = Callable[[Tensor], Tensor]  # images float32 (N, 3, H, W) -> logits float32 (N, C)
Resolved = Literal["torch", "openvino", "onnx"]
Load = Literal["batches", "few"]

# From a model in evaluation mode and photos of its size to what makes it a classifier: in a precision, for
# batches or for a few photos at a time.
RUNTIMES: dict[Resolved, Callable[[nn.Module, Tensor], Callable[[str, Load], Classifier]]] = {
    "torch": in_torch,
    "openvino": in_openvino,
    "onnx": in_onnx,
}
NEEDS: dict[Resolved, tuple[str, ...]] = {
    "torch": (),
    "openvino": ("openvino", "onnx"),
    "onnx": ("onnx", "onnxruntime"),
}
PROBED = 8  # random photos
TOLERANCE = 1e-3  # of the largest logit, between two runtimes in float32


def resolve_runtime(choice: Runtime, device: torch.device) -> Resolved:
    """Turn "auto" into the fastest runtime there is for `device`.

    Raises:
        MaskkitError: The one asked for is unknown, not installed, or not for `device`.
    """
    allowed = get_args(Runtime)
    if choice not in allowed:
        raise MaskkitError(
            f"unknown runtime: {choice!r}", why=f"there are {', '.join(allowed)}", fix="use one of these"
        )
    if choice == "auto":
        return "openvino" if device.type == "cpu" and not _lacking("openvino") else "torch"
    lacking = _lacking(choice)
    if lacking:
        raise MaskkitError(
            f"the runtime {choice} is not installed",
            why=f"it needs {' and '.join(lacking)}",
            fix=f"pip install 'maskkit[{choice}]', or use --runtime torch",
        )
    if choice != "torch" and device.type != "cpu":
        raise MaskkitError(
            f"the runtime {choice} does not compute on {device.type}",
            why="here it is for processors without a GPU",
            fix="use --device cpu, or --runtime torch",
        )
    return choice


def predicting_precision(choice: Precision, trained: Precision, device: torch.device) -> str:
    """Return the precision to predict in: for "auto" that of training, if the processor computes in it."""
    if choice != "auto":
        return resolve_precision(choice, device)
    return trained if trained == resolve_precision("auto", device) else "float32"


def classifier(
    model: nn.Module, *, runtime: Resolved, precision: str, device: torch.device,
    size: tuple[int, int] | None,
) -> Classifier:  # fmt: skip
    """Return what takes normalised photos to the logits of `model`, in evaluation mode.

    In bfloat16 the answers are those of float32 all the same (see `ties`).

    Args:
        model: A timm model; it is moved to `device`, its values are left as they are.
        runtime: As from `resolve_runtime`.
        precision: "float32" or "bfloat16". ONNX Runtime has no bfloat16 on processors and takes float32.
        device: Where to compute.
        size: Height and width of the photos; None for a head on features, which is computed as it is.
    """
    if size is None:
        return model.to(device).eval()
    photos = random_photos(size, count=PROBED).to(device)
    fit = folded(prepare(model, "float32", device), photos[:2])
    compiled = RUNTIMES[runtime](fit, photos)
    is_exact = precision == "float32" or runtime == "onnx"
    exact = compiled("float32", "batches" if is_exact else "few")
    with torch.inference_mode():
        wanted = fit(photos).float()  # (N, C)
        if runtime != "torch":
            _check_same(runtime, wanted, exact(photos))
        if is_exact:
            return exact
        fast = compiled("bfloat16", "batches")
        return settled(fast, exact, wanted=wanted, given=fast(photos))


def _lacking(runtime: Resolved) -> list[str]:
    return [name for name in NEEDS[runtime] if find_spec(name) is None]


def _check_same(runtime: str, wanted: Tensor, given: Tensor) -> None:
    error = float((wanted - given).abs().max() / wanted.abs().max())
    if not error <= TOLERANCE:
        raise MaskkitError(
            f"{runtime} computes this model otherwise than torch does",
            why=f"on random photos its logits are off by {error:.1%} of the largest",
            fix="use --runtime torch, and report the model's name",
        )
