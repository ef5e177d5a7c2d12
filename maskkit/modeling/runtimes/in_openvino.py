"""Logits by OpenVINO, on processors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.modeling.exchange import to_onnx

# Photos that one thread computes at a time. tf_efficientnet_lite0 at 128x96, ms of processor time per photo
# in bfloat16: 1.47 by 4, 1.37 by 8, 1.33 by 16, 1.42 by 32, and 1.68 if both threads share batches of 64; in
# float32: 2.81 by 1, 2.42 by 4, 2.45 by 8.
AT_ONCE = {"batches": 8, "few": 1}


def in_openvino(model: nn.Module, photos: Tensor) -> Callable[[str, str], Callable[[Tensor], Tensor]]:
    """Return what compiles `model` for this processor, with one stream per thread.

    By way of ONNX and not `openvino.convert_model`, which takes longer.
    """
    openvino = _import_openvino()
    core, threads = openvino.Core(), torch.get_num_threads()
    height, width = photos.shape[2:]
    onnx = to_onnx(model, (height, width))

    def compiled(precision: str, load: str) -> Callable[[Tensor], Tensor]:
        at_once = AT_ONCE[load]
        graph = _graph(openvino, core.read_model(onnx), (at_once, height, width, 3))
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
        }
        queue = openvino.AsyncInferQueue(core.compile_model(graph, "CPU", settings), threads)
        return _classify_by(queue, at_once)

    return compiled


def _import_openvino() -> Any:
    """Import it without the part that reports every import to its makers' server and writes to ~/intel.

    It goes on without that part, as if it were not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino
    import openvino.preprocess

    return openvino


def _graph(openvino: Any, graph: Any, shape: tuple[int, ...]) -> Any:
    """Let a graph take photos in channels-last order, as they come, and always as many."""
    processor = openvino.preprocess.PrePostProcessor(graph)
    processor.input().tensor().set_layout(openvino.Layout("NHWC"))
    processor.input().model().set_layout(openvino.Layout("NCHW"))
    graph = processor.build()
    graph.reshape(list(shape))  # a fixed number spares a compilation for each new one
    return graph


def _classify_by(queue: Any, at_once: int) -> Callable[[Tensor], Tensor]:
    made: dict[int, NDArray[np.float32]] = {}
    queue.set_callback(lambda request, start: made.update({start: request.get_output_tensor(0).data.copy()}))

    def classify(images: Tensor) -> Tensor:
        pixels = images.permute(0, 2, 3, 1).contiguous().numpy()  # no copy if it is channels-last, as here
        for start in range(0, len(pixels), at_once):
            queue.start_async({0: _filled(pixels[start : start + at_once], at_once)}, start)
        queue.wait_all()
        logits = np.concatenate([made.pop(start) for start in sorted(made)])
        return torch.from_numpy(logits[: len(pixels)])

    return classify


def _filled(pixels: NDArray[np.float32], at_once: int) -> NDArray[np.float32]:
    """Fill up the last photos of a batch."""
    if len(pixels) == at_once:
        return pixels
    return np.concatenate([pixels, np.zeros((at_once - len(pixels), *pixels.shape[1:]), np.float32)])
