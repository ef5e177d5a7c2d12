from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.tensors import to_input, views_of
from maskkit.options.values import Tta, parse_tta

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


PHOTOS = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 20, 40)).astype(np.float32))


def seen(text: str, photos: Tensor = PHOTOS) -> list[Tensor]:
    return [view(photos) for view in views_of(parse_tta(text))]


def test_the_photo_comes_first_and_is_untouched() -> None:
    for text in ("none", "hflip", "scale:0.9", "shift", "hflip,scale:1.2,shift:0.1"):
        assert seen(text)[0] is PHOTOS


def test_a_list_multiplies_with_its_mirror_images() -> None:
    assert len(seen("hflip,scale:0.9,shift")) == 12
    assert len(seen("scale:0.9,scale:1.1")) == 3
    plain, both = seen("scale:0.9,shift"), seen("hflip,scale:0.9,shift")
    assert all(torch.equal(one, two) for one, two in zip(plain, both[::2], strict=True))
    assert all(torch.equal(one.flip(3), two) for one, two in zip(plain, both[1::2], strict=True))


def test_every_view_has_the_size_and_memory_order_that_compiled_models_need() -> None:
    photos = PHOTOS.contiguous(memory_format=torch.channels_last)
    for view in seen("hflip,scale:0.5,scale:2,shift", photos):
        assert view.shape == photos.shape
        assert view.dtype == photos.dtype


def test_a_shift_moves_by_its_share_and_mirrors_what_comes_in() -> None:
    right, left, down, up = seen("shift:0.1")[1:]  # 4 of 40 columns, 2 of 20 rows
    assert torch.allclose(right[..., 4:], PHOTOS[..., :-4], atol=1e-5)
    assert torch.allclose(left[..., :-4], PHOTOS[..., 4:], atol=1e-5)
    assert torch.allclose(down[..., 2:, :], PHOTOS[..., :-2, :], atol=1e-5)
    assert torch.allclose(up[..., :-2, :], PHOTOS[..., 2:, :], atol=1e-5)
    assert torch.allclose(right[..., :4], PHOTOS[..., :4].flip(3), atol=1e-5)


def test_a_scale_below_one_shows_the_photo_smaller_and_its_surroundings_mirrored() -> None:
    column = torch.arange(40.0).expand(1, 3, 20, 40)  # each pixel says where it is
    smaller = seen("scale:0.5", column)[1]
    assert torch.allclose(smaller[0, 0, 10, 10:30], torch.arange(20.0) * 2 + 0.5)
    assert torch.allclose(smaller[0, 0, 10, :10].flip(0), smaller[0, 0, 10, 10:20], atol=1e-4)
    larger = seen("scale:2", column)[1]
    assert torch.allclose(larger[0, 0, 10, :], torch.arange(40.0) / 2 + 9.75)


@pytest.mark.parametrize("text", ["scale:0.8", "scale:1.3", "shift:0.07", "hflip,scale:1.1,shift"])
def test_a_view_of_a_blank_photo_is_blank(text: str) -> None:
    blank = torch.full((1, 3, 8, 6), 0.25)
    assert all(torch.allclose(view, blank, atol=1e-6) for view in seen(text, blank))


@given(
    st.builds(
        Tta,
        st.booleans(),
        st.lists(st.sampled_from([0.5, 0.8, 0.9, 1.1, 1.5]), unique=True).map(
            lambda found: tuple(sorted(found))
        ),
        st.sampled_from([0.0, 0.05, 0.2]),
    )
)
def test_there_are_as_many_views_as_said_and_the_text_reads_back(tta: Tta) -> None:
    assert len(views_of(tta)) == tta.count
    assert parse_tta(str(tta)) == tta
