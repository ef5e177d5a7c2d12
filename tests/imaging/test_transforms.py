from __future__ import annotations

import numpy as np
import torch

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.transforms import to_input

PREPROCESS = Preprocess(4, 6, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bicubic")
PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), np.uint8))


def test_normalises_by_the_formula() -> None:
    found = to_input(PIXELS, PREPROCESS, torch.device("cpu"))
    assert found.shape == (2, 3, 4, 6)
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    value = (float(PIXELS[1, 2, 5, 1]) / 255 - 0.456) / 0.224
    assert abs(float(found[1, 1, 2, 5]) - value) < 1e-6
    expected = (PIXELS.numpy() / 255.0 - PREPROCESS.mean) / PREPROCESS.std
    assert np.allclose(found.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-6)
