from __future__ import annotations

from typing import get_args

import numpy as np
import torch

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.config import Tta
from maskkit.imaging.transforms import VIEWS, to_input

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


def test_every_name_that_the_options_allow_is_a_set_of_views_that_begins_with_the_photo() -> None:
    assert set(VIEWS) == set(get_args(Tta))
    images = to_input(PIXELS, PREPROCESS, torch.device("cpu"))
    for views in VIEWS.values():
        assert torch.equal(views[0](images), images)
    assert {name: len(views) for name, views in VIEWS.items()} == {"none": 1, "hflip": 2}


def test_mirroring_swaps_left_and_right_and_twice_is_the_identity() -> None:
    images = to_input(PIXELS, PREPROCESS, torch.device("cpu"))
    mirror = VIEWS["hflip"][1]
    assert torch.equal(mirror(images)[..., 0], images[..., -1])
    assert torch.equal(mirror(mirror(images)), images)
