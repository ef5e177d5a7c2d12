"""Tiny networks in place of real face detectors: what is red is a face, and the redder, the surer.

They have the inputs and outputs of the real ones, so that OpenCV computes them in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

Part = tuple[list[onnx.NodeProto], list[onnx.TensorProto]]

LOOK = 32  # pixels that each cell looks at: the size of a face to which the answer is the strongest


def red_photo(*patches: tuple[int, int], size: tuple[int, int] = (128, 96), red: int = 255) -> np.ndarray:
    """Draw a grey photo with red squares of 32 pixels centred at (x, y), uint8 (height, width, 3)."""
    photo = np.full((*size, 3), 90, np.uint8)
    for x, y in patches:
        photo[max(0, y - 16) : y + 16, max(0, x - 16) : x + 16] = (red, 20, 20)
    return photo


def save_photo(path: Path, photo: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(path)


def centerface(*, width: float = 24, height: float = 32, bias: float = -11.0) -> bytes:
    """CenterFace's four maps: a heat map of red squares, one size, no offset, and unused landmarks."""
    size = [log(height / 4), log(width / 4)]
    parts = [
        _conv("heat", "input", 4, np.array([[20.0, -20.0, 0.0]]), [bias]),
        ([helper.make_node("Sigmoid", ["heat"], ["537"])], []),
        _conv("538", "input", 4, np.zeros((2, 3)), size),
        _conv("539", "input", 4, np.zeros((2, 3)), [0.25, -0.5]),
        _conv("540", "input", 4, np.zeros((10, 3)), [0.0] * 10),
    ]
    outputs = {"537": 1, "538": 2, "539": 2, "540": 10}
    return _model(parts, {name: [1, channels, "h", "w"] for name, channels in outputs.items()})


def yunet(*, width: float = 24, height: float = 32) -> bytes:
    """YuNet's twelve outputs, BGR in: faces of one size at stride 8, nothing at 16 and 32."""
    parts: list[Part] = []
    outputs: dict[str, list[int | str]] = {}
    for stride in (8, 16, 32):
        red = [[0.0, -2.4, 2.4]]
        silence = -1.3 if stride == 8 else -9.0
        biases = {
            "cls": [silence], "obj": [silence], "kps": [0.0] * 10,
            "bbox": [0.5, 0.5, log(width / stride), log(height / stride)],
        }  # fmt: skip
        for part, bias in biases.items():
            weights = np.array(red) if part in ("cls", "obj") else np.zeros((len(bias), 3))
            name = f"{part}_{stride}"
            parts += [_conv(f"{name}_map", "input", stride, weights, bias), _rows(name, len(bias))]
            outputs[name] = [1, "n", len(bias)]
    return _model(parts, outputs)


def _conv(name: str, given: str, stride: int, per_channel: np.ndarray, bias: list[float]) -> Part:
    """Average each channel, as a share of 255, over LOOK pixels around each cell, and weigh the averages."""
    kernel = np.ones((1, 1, LOOK, LOOK)) / LOOK**2 / 255
    weights = (per_channel[:, :, None, None] * kernel).astype(np.float32)
    pads = [(LOOK - stride) // 2] * 4
    node = helper.make_node(
        "Conv", [given, f"{name}_w", f"{name}_b"], [name],
        kernel_shape=[LOOK, LOOK], strides=[stride, stride], pads=pads,
    )  # fmt: skip
    tensors = {f"{name}_w": weights, f"{name}_b": np.array(bias, np.float32)}
    return [node], [numpy_helper.from_array(value, key) for key, value in tensors.items()]


def _rows(name: str, channels: int) -> Part:
    nodes = [
        helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [name]),
    ]
    return nodes, [numpy_helper.from_array(np.array([1, -1, channels]), f"{name}_shape")]


def _model(parts: list[Part], outputs: dict[str, list[int | str]]) -> bytes:
    def values() -> Iterator[onnx.ValueInfoProto]:
        for name, shape in outputs.items():
            yield helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "H", "W"])
    graph = helper.make_graph(
        [node for nodes, _ in parts for node in nodes], "tiny", [given], list(values()),
        [tensor for _, tensors in parts for tensor in tensors],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
