"""OpenVINO, which computes a model that is written as ONNX, in streams of its own."""

from __future__ import annotations

import itertools
import sys
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Load = Literal["batches", "few"]

# Photos that a thread of OpenVINO computes at a time. tf_efficientnet_lite0 at 128x96, ms of processor time
# per photo in bfloat16: 1.47 by 4, 1.37 by 8, 1.33 by 16, 1.42 by 32, and 1.68 if both threads share batches
# of 64; in float32: 2.81 by 1, 2.42 by 4, 2.45 by 8.
AT_ONCE = {"batches": 8, "few": 1}


def compiled_openvino(
    data: bytes, *, size: tuple[int, int], precision: str, load: Load
) -> Callable[[Tensor], Tensor]:
    """Compile a model for this processor, with one stream per thread of torch's.

    By way of ONNX and not `openvino.convert_model`, which takes longer.
    """
    core, threads = openvino_core(), torch.get_num_threads()
    import openvino.preprocess

    # Photos come in channels-last order, and always as many, which spares a compilation per new number.
    processor = openvino.preprocess.PrePostProcessor(core.read_model(data))
    processor.input().tensor().set_layout(openvino.Layout("NHWC"))
    processor.input().model().set_layout(openvino.Layout("NCHW"))
    graph = processor.build()
    graph.reshape([AT_ONCE[load], *size, 3])
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
    }
    network = core.compile_model(graph, "CPU", settings)
    # One more for each stream, so that none is idle while the logits of another are taken.
    return _classify_by([network.create_infer_request() for _ in range(2 * threads)], AT_ONCE[load])


@cache
def openvino_core() -> Any:
    """Return OpenVINO's entry, one for all models of a process, and to its end.

    Each has the stack that signals are handled on replaced, and puts back what it found when it goes: of
    several that do not go the last first, one puts back a stack that is gone, and the next signal kills.
    """
    # Without the part that reports every import to its makers' server and writes to ~/intel: it goes on as if
    # that were not installed.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()


def _classify_by(requests: list[Any], at_once: int) -> Callable[[Tensor], Tensor]:
    """Return what shares photos out among `requests` in turn, `at_once` photos to each.

    Without OpenVINO's queue: it calls back on threads of its own, which hold on to Python when all is waited
    for already; one that does so while the interpreter ends aborts the process.
    """

    def classify(images: Tensor) -> Tensor:
        pixels = images.permute(0, 2, 3, 1).contiguous().numpy()  # no copy if it is channels-last, as here
        busy: deque[Any] = deque()
        made: list[NDArray[np.float32]] = []

        def take() -> None:
            busy[0].wait()
            made.append(busy.popleft().get_output_tensor(0).data.copy())

        for start, request in zip(range(0, len(pixels), at_once), itertools.cycle(requests), strict=False):
            if len(busy) == len(requests):
                take()
            part = pixels[start : start + at_once]
            missing = [(0, at_once - len(part)), (0, 0), (0, 0), (0, 0)]
            request.start_async({0: np.pad(part, missing) if len(part) < at_once else part})
            busy.append(request)
        while busy:
            take()
        return torch.from_numpy(np.concatenate(made)[: len(pixels)])

    return classify
