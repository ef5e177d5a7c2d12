import numpy as np
import pytest
from PIL import Image

from maskkit.labels import HOME
from maskkit.tracking.pictures import MOST_CLASSES, PAPER, draw_confusion, shade

BLUE, ORANGE = (130, 171, 207), (221, 156, 117)  # 0.6 of the way from paper to the colours of the pages


def count_of(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == colour).all(2).sum())


def test_a_cell_is_as_deep_as_the_root_of_its_share() -> None:
    assert shade(0, 100, right=True) == PAPER
    assert shade(100, 100, right=True) == BLUE
    assert shade(100, 100, right=False) == ORANGE
    quarter, full = (shade(count, 100, right=True)[0] for count in (25, 100))
    assert quarter == pytest.approx((PAPER[0] + full) / 2, abs=1)


def test_a_class_without_photos_is_drawn_empty() -> None:
    assert shade(0, 0, right=True) == PAPER


def test_right_answers_lie_on_the_diagonal_and_mistakes_beside_it() -> None:
    right = draw_confusion(np.diag(np.full(18, 7)), HOME.names, title="t")
    wrong = draw_confusion(np.roll(np.diag(np.full(18, 7)), 1, axis=1), HOME.names, title="t")
    assert count_of(right, BLUE) > 18 * 1000
    assert count_of(right, ORANGE) == 0
    assert count_of(wrong, ORANGE) > 18 * 1000
    assert count_of(wrong, BLUE) == 0


def test_a_row_is_a_truth() -> None:
    counts = np.zeros((18, 18), np.int64)
    counts[2, 15] = 9
    found = (np.asarray(draw_confusion(counts, HOME.names, title="t")) == ORANGE).all(2)
    rows, columns = np.nonzero(found)
    width, height = draw_confusion(counts, HOME.names, title="t").size
    assert rows.mean() < height / 2
    assert columns.mean() > width / 2


@pytest.mark.parametrize("classes", [2, 3, 60, MOST_CLASSES])
def test_any_number_of_classes_fits(classes: int) -> None:
    counts = np.full((classes, classes), 123_456)
    image = draw_confusion(counts, [f"level{number}" for number in range(classes)], title="a title" * 5)
    assert max(image.size) < 2000
    pixels = np.asarray(image)
    assert (pixels[:, -2:] == PAPER).all()  # nothing is cut off at the right,
    assert (pixels[:, :2] == PAPER).all()  # or at the left


def test_the_same_counts_are_the_same_picture() -> None:
    first, second = (draw_confusion(np.eye(18, dtype=int), HOME.names, title="t") for _ in range(2))
    assert first.tobytes() == second.tobytes()
