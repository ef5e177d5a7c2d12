"""What computes a trained model's logits: torch on any device; OpenVINO or ONNX Runtime on processors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from importlib.util import find_spec
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError, reason
from maskkit.extras import install_line
from maskkit.modeling.backbone import random_photos
from maskkit.modeling.device import autocast, prepare, resolve_precision
from maskkit.modeling.exchange import INPUT, OUTPUT, to_onnx
from maskkit.modeling.folding import folded
from maskkit.modeling.onnx_runtime import session_of
from maskkit.modeling.openvino_runtime import Load, compiled_openvino
from maskkit.options.train_options import Precision, Runtime

log = logging.getLogger(__name__)

Classifier = Callable[[Tensor], Tensor]  # images float32 (N, 3, H, W) -> logits float32 (N, C)
Resolved = Literal["torch", "openvino", "onnx"]
Compile = Callable[[str, Load], Classifier]  # in a precision, for batches or for a few photos at a time

NEEDS: dict[Resolved, tuple[str, ...]] = {
    "torch": (), "openvino": ("openvino", "onnx"), "onnx": ("onnx", "onnxruntime"),
}  # fmt: skip
PROBED = 8  # random photos
TOLERANCE = 1e-3  # of the largest logit, between two runtimes in float32

# How many times the usual error of bfloat16 a lead must be to be trusted. Of 1,953 photos of people unknown
# to a tf_efficientnet_lite0, bfloat16 alone answers 1.2 % otherwise than float32. Of those trusted, one model
# answered none otherwise at 5, and another two at 5 and none at 7.
MARGIN = 7.0


def resolve_runtime(choice: Runtime, device: torch.device) -> Resolved:
    """Turn "auto" into the fastest runtime there is for `device`.

    Raises:
        MaskkitError: The one chosen is not installed, or not for `device`.
    """
    if choice == "auto":
        return "openvino" if device.type == "cpu" and not _lacking("openvino") else "torch"
    if choice != "torch" and (lacking := _lacking(choice)):
        raise MaskkitError(
            f"the runtime {choice} is not installed",
            why=f"it needs {' and '.join(lacking)}",
            fix=f"{install_line(choice)}, or use --runtime torch",
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


def fitted_classifier(
    model: nn.Module, *, runtime: Resolved, precision: str, device: torch.device, size: tuple[int, int],
    name: str, or_torch: bool,
) -> tuple[Classifier, Resolved]:  # fmt: skip
    """Return what `classifier` does, and the runtime that computes it.

    If the runtime cannot compute the model, which is called `name`, torch does `or_torch`, and it is said.

    Raises:
        MaskkitError: The runtime cannot compute it, and torch is not to.
    """
    how: dict[str, Any] = {"precision": precision, "device": device, "size": size}
    try:
        return classifier(model, runtime=runtime, **how), runtime
    except RuntimeUnfitError as error:
        if not or_torch:
            raise MaskkitError(
                f"the runtime {runtime} cannot compute {name}",
                why=str(error),
                fix="use --runtime torch, or auto, which finds that out by itself",
            ) from error
        log.info("torch computes %s, since %s cannot: %s", name, runtime, error)
        return classifier(model, runtime="torch", **how), "torch"


def classifier(
    model: nn.Module, *, runtime: Resolved, precision: str, device: torch.device,
    size: tuple[int, int] | None,
) -> Classifier:  # fmt: skip
    """Return what takes normalised photos to the logits of `model`, in evaluation mode.

    In bfloat16 the answers are those of float32 all the same (see `settled`). A timm model is moved to
    `device`, its values are left as they are. ONNX Runtime has no bfloat16 on processors and takes float32.
    `size` is height and width of the photos; None for a head on features, which is computed as it is.

    Raises:
        RuntimeUnfitError: The runtime cannot compute the model, or computes other logits than torch.
    """
    if size is None:
        return model.to(device).eval()
    photos = random_photos(size, count=PROBED).to(device)
    fit = folded(prepare(model, "float32", device), photos[:2])
    is_exact = precision == "float32" or runtime == "onnx"
    with torch.inference_mode():
        wanted = fit(photos).float()  # (N, C)
        try:
            compiled = RUNTIMES[runtime](fit, photos)
            exact = compiled("float32", "batches" if is_exact else "few")
            if runtime != "torch":
                _compare(exact, photos, wanted)
            if is_exact:
                return exact
            fast = compiled("bfloat16", "batches")
            return settled(fast, exact, wanted=wanted, given=fast(photos))
        except Exception as error:  # each runtime has errors of its own
            if runtime == "torch":
                raise
            raise RuntimeUnfitError(reason(error)) from error


class RuntimeUnfitError(Exception):
    """A runtime cannot compute a model; the message is why."""


def _compare(exact: Classifier, photos: Tensor, wanted: Tensor) -> None:
    """Raise unless these photos have the logits wanted, also fewer: a graph may suit one number only."""
    for count in (len(photos), len(photos) // 2 - 1):
        error, largest = (wanted[:count] - exact(photos[:count])).abs().max(), wanted.abs().max()
        if not error <= TOLERANCE * largest:
            raise RuntimeUnfitError(
                f"on random photos its logits are off by {float(error / largest):.1%} of the largest"
            )


def settled(fast: Classifier, exact: Classifier, *, wanted: Tensor, given: Tensor) -> Classifier:
    """Return `fast`, with the logits of `exact` for the photos whose two best classes are close.

    bfloat16 keeps 8 bits, so after some fifty layers the logits are off by a few percent of their spread,
    which changes an answer only where two classes are closer than that. How close follows from the model
    alone, not from the photos around one: the same photo gets the same logits in every batch.

    `wanted` and `given` are what `exact` and `fast` make of the same random photos, (N, C).
    """
    if wanted.shape[1] < 2:
        return fast
    error = given - wanted
    error = error - error.mean(1, keepdim=True)  # what moves all classes alike moves no answer
    margin = MARGIN * float((error / wanted.std(1, keepdim=True)).square().mean().sqrt())

    def classify(images: Tensor) -> Tensor:
        logits = fast(images)
        first, second = logits.topk(2, dim=1).values.T
        is_close = first - second < margin * logits.std(1)
        if is_close.any():
            logits[is_close] = exact(images[is_close].contiguous(memory_format=torch.channels_last))
        return logits

    return classify


def in_torch(model: nn.Module, photos: Tensor) -> Compile:
    """Return what gives the forward of `model` in a precision; in bfloat16 with weights converted once.

    Autocast would convert the weights at each call and look at each operation, for 10 % more of the processor
    time of a prediction of 315 photos by tf_efficientnet_lite0. It is what remains for the models that make
    float32 tensors of their own in between.
    """

    def exact(images: Tensor) -> Tensor:
        return cast(Tensor, model(images)).float()

    def by_autocast(images: Tensor) -> Tensor:
        with autocast(photos.device, "bfloat16"):
            return exact(images)

    def compiled(precision: str, load: Load) -> Classifier:  # noqa: ARG001 - any number will do
        if precision == "float32":
            return exact
        half = deepcopy(model).to(torch.bfloat16)

        def converted(images: Tensor) -> Tensor:
            return cast(Tensor, half(images.to(torch.bfloat16))).float()

        try:
            with torch.inference_mode():
                converted(photos[:2])
        except RuntimeError:  # two types met in one operation
            return by_autocast
        return converted

    return compiled


def in_onnx(model: nn.Module, photos: Tensor) -> Compile:
    """Return what runs `model` as `maskkit export` writes it; in float32, having no bfloat16 here."""
    height, width = photos.shape[2:]
    session = session_of(to_onnx(model, (height, width)), threads=torch.get_num_threads())

    def classify(images: Tensor) -> Tensor:
        (logits,) = session.run([OUTPUT], {INPUT: images.contiguous().numpy()})
        return torch.from_numpy(logits)

    return lambda precision, load: classify  # noqa: ARG005 - of which there is one


def in_openvino(model: nn.Module, photos: Tensor) -> Compile:
    """Return what compiles `model`, as `maskkit export` writes it, for this processor."""
    height, width = photos.shape[2:]
    onnx = to_onnx(model, (height, width))
    return lambda precision, load: compiled_openvino(
        onnx, size=(height, width), precision=precision, load=load
    )


# From a model in evaluation mode and photos of its size to what compiles it.
RUNTIMES: dict[Resolved, Callable[[nn.Module, Tensor], Compile]] = {
    "torch": in_torch,
    "openvino": in_openvino,
    "onnx": in_onnx,
}


def _lacking(runtime: Resolved) -> list[str]:
    return [name for name in NEEDS[runtime] if find_spec(name) is None]
