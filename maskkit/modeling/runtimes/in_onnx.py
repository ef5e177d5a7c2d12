"""Logits by ONNX Runtime, on processors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from maskkit.modeling.exchange import INPUT, OUTPUT, to_onnx


def in_onnx(model: nn.Module, photos: Tensor) -> Callable[[str, str], Callable[[Tensor], Tensor]]:
    """Return what runs `model` as `maskkit export` writes it; in float32, having no bfloat16 here."""
    import onnxruntime

    height, width = photos.shape[2:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Its threads would spin while they wait, and take the processor from those that decode photos.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        to_onnx(model, (height, width)), options, providers=["CPUExecutionProvider"]
    )

    def classify(images: Tensor) -> Tensor:
        (logits,) = session.run([OUTPUT], {INPUT: images.contiguous().numpy()})
        return torch.from_numpy(logits)

    return lambda precision, load: classify  # noqa: ARG005 - of which there is one
