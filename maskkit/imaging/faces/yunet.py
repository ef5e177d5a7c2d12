"""YuNet: a detector of 75 thousand weights, from Wu et al. 2023, https://doi.org/10.1007/s11633-023-1423-y.

OpenCV's own FaceDetectorYN decodes what the network says, as its authors do:
https://github.com/opencv/opencv/blob/4.x/modules/objdetect/src/face_detect.cpp.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from maskkit.imaging.faces.detection import Face, Photo

OVERLAP = 0.3  # of two boxes, intersection over union, from which they are one face; OpenCV's default
MOST = 5000  # boxes before that; OpenCV's default
ERRORS = 2  # cv::utils::logging::LOG_LEVEL_ERROR
OUTPUTS = {f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)}


class YuNet:
    """A detector by OpenCV. It holds what it is computing: each thread needs its own.

    Args:
        model: The bytes of the ONNX file, uint8 (bytes,).
        score: Faces of which the network is less sure are left out.
    """

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
        boxes[:, 2:] += boxes[:, :2]
        shares = (boxes / (width, height, width, height)).clip(0, 1)
        return [
            Face((x0, y0, x1, y1), score)
            for (x0, y0, x1, y1), score in zip(shares.tolist(), scores.tolist(), strict=True)
        ]
