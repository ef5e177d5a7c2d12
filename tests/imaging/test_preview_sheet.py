from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.preview_sheet import COLUMNS, GAP, LINE, contact_sheet, pixels_of
from maskkit.imaging.tensors import to_input

PREPROCESS = Preprocess(24, 16, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")
TIMES = 12  # 16 pixels become 192


def photos(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 24, 16, 3), np.uint8)


def given(count: int) -> torch.Tensor:
    return to_input(torch.from_numpy(photos(count)), PREPROCESS, torch.device("cpu"))


def opened(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return np.asarray(image)


def place(number: int, *, below: int) -> tuple[slice, slice]:
    top = GAP + number // COLUMNS * (24 * TIMES + below + GAP)
    left = GAP + number % COLUMNS * (192 + GAP)
    return slice(top, top + 24 * TIMES), slice(left, left + 192)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_undoes_the_normalisation_exactly(dtype: torch.dtype) -> None:
    assert np.array_equal(pixels_of(given(9).to(dtype), PREPROCESS), photos(9))


def test_every_photo_is_there_pixel_by_pixel_in_order() -> None:
    sheet = opened(contact_sheet(given(11), ["wear/female/60plus"] * 11, PREPROCESS))
    for number, photo in enumerate(photos(11)):
        found = sheet[place(number, below=LINE)]
        assert np.array_equal(found[::TIMES, ::TIMES], photo)
        assert np.array_equal(found, photo.repeat(TIMES, axis=0).repeat(TIMES, axis=1))


def test_mixed_values_beyond_black_and_white_are_cut_off() -> None:
    assert set(pixels_of(torch.full((1, 3, 2, 2), 99.0), PREPROCESS).ravel().tolist()) == {255}
    assert set(pixels_of(torch.full((1, 3, 2, 2), -99.0), PREPROCESS).ravel().tolist()) == {0}


def inked(sheet: np.ndarray, number: int, *, below: int) -> np.ndarray:
    """Return which pixels under a photo are written on."""
    rows, columns = place(number, below=below)
    under = sheet[rows.stop : rows.stop + below + GAP, columns.start : columns.stop + GAP]
    return np.asarray((under < 128).all(axis=2))


def test_captions_stand_under_their_photos() -> None:
    sheet = opened(contact_sheet(given(3), ["one", "", "three"], PREPROCESS))
    written = [bool(inked(sheet, number, below=LINE).any()) for number in range(3)]
    assert written == [True, False, True]


def test_long_captions_are_wrapped_and_none_leaves_its_column_or_the_sheet() -> None:
    long = "0.52 incorrect/female/60plus and " + "W" * 30
    sheet = opened(contact_sheet(given(10), [long, *["short"] * 8, "a\nb\nc"], PREPROCESS))
    below = (sheet.shape[0] - GAP) // 2 - 24 * TIMES - GAP
    assert below % LINE == 0
    assert below >= 3 * LINE
    first = inked(sheet, 0, below=below)
    assert first.any(1).sum() > 20  # more than a line
    assert not first[:, 192:].any()
    assert not (sheet[:, -GAP:] < 255).any()
    assert not (sheet[-GAP + 2 :] < 255).any()


def test_the_same_photos_give_the_same_bytes() -> None:
    first, again = (contact_sheet(given(4), ["a"] * 4, PREPROCESS) for _ in range(2))
    assert first == again


def test_large_photos_are_not_enlarged() -> None:
    large = Preprocess(300, 200, (0.5,) * 3, (0.5,) * 3, "bilinear")
    sheet = opened(contact_sheet(torch.zeros(2, 3, 300, 200), ["", ""], large))
    assert sheet.shape == (GAP + 300 + LINE + GAP, GAP + 2 * (200 + GAP), 3)


def test_a_caption_is_needed_for_each_photo() -> None:
    with pytest.raises(ValueError, match="zip"):
        contact_sheet(given(2), ["one"], PREPROCESS)
