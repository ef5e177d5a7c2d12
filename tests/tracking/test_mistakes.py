import numpy as np
import pytest

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.photos import Photos
from maskkit.imaging.preview_sheet import WIDTH
from maskkit.labels import HOME
from maskkit.tracking.pictures import PicturedMistake, draw_mistakes, pictured


def test_each_mistake_has_the_photo_and_the_names_of_its_row() -> None:
    pixels = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 3, 3), np.uint8)
    photos = Photos.of_pixels(pixels, Preprocess(4, 3, (0, 0, 0), (1, 1, 1), "bilinear"))
    rows = np.array([11, 5, 17])
    probs = np.full((3, 18), 0.01, np.float32)
    probs[[0, 1, 2], [4, 7, 9]] = 0.83
    label = np.array([4, 0, 9])
    (found,) = pictured(photos, rows, label, probs, HOME, 5)
    assert (found.truth, found.answer) == (HOME.names[0], HOME.names[7])
    assert found.loss == pytest.approx(-np.log(0.01), rel=1e-6)
    assert (found.pixels == 5).all()


@pytest.mark.parametrize(("count", "across", "down"), [(1, 1, 1), (5, 3, 2), (16, 4, 4)])
def test_photos_stand_row_by_row_on_a_sheet(count: int, across: int, down: int) -> None:
    photo = np.full((12, 12, 3), 90, np.uint8)  # of which each pixel becomes 16 x 16
    sheet = np.asarray(draw_mistakes([PicturedMistake("wear/male", "none/female", 1.0, photo)] * count))
    grey = (sheet == 90).all(2)
    assert grey.sum() == pytest.approx(count * WIDTH * WIDTH, rel=0.001)  # captions have grey edges, too
    assert grey[:WIDTH].sum() == pytest.approx(across * (WIDTH - 12) * WIDTH, rel=0.01)
    assert sheet.shape[0] == pytest.approx(down * (WIDTH + 80), rel=0.1)
