import numpy as np
import pytest

from maskkit.drawing.canvas import (
    HEIGHT,
    WIDTH,
    Canvas,
    disc,
    filled,
    grain,
    inflated,
    lines,
    mixed,
    shade,
    smooth,
)


def test_fills_a_square_with_its_area() -> None:
    cover = filled([(100, 100), (140, 100), (140, 160), (100, 160)])
    assert cover.shape == (HEIGHT, WIDTH)
    assert cover.sum() == pytest.approx(40 * 60, rel=0.06)  # OpenCV draws the outline too
    assert cover[130, 120] == pytest.approx(1)


def test_draws_a_disc_with_its_area() -> None:
    assert disc((200, 200), (20, 30)).sum() == pytest.approx(np.pi * 20 * 30, rel=0.02)


@pytest.mark.parametrize("at", [(-50.0, 100.0), (5.0, 5.0), (WIDTH - 1.0, HEIGHT - 1.0), (200.0, 900.0)])
def test_cuts_shapes_at_the_edges_of_the_canvas(at: tuple[float, float]) -> None:
    canvas = Canvas.blank()
    canvas.paint(disc(at, (20, 20)), (1, 0, 0))
    canvas.bump(at, (10, 10), 5)
    canvas.blush(at, (10, 10), (0.5, 0.5, 0.5))
    inside = at[0] > 0 and at[1] < HEIGHT
    assert (canvas.colour[0].max() > 0.5) == inside
    assert (canvas.height.max() > 4) == inside


def test_paints_only_where_covered() -> None:
    canvas = Canvas.blank()
    canvas.paint(disc((100, 100), (20, 20)) * np.float32(0.5), (0.2, 0.4, 0.8))
    assert canvas.colour[:, 100, 100] == pytest.approx([0.1, 0.2, 0.4])
    assert canvas.colour[:, 200, 200] == pytest.approx([0, 0, 0])


def test_shows_nothing_for_a_stroke_without_strength() -> None:
    line = [(10, 10), (90, 90)]
    assert lines([(line, -0.3)]).max() == 0
    assert lines([(line, 2.0)]).max() > 0.5


def test_rounds_corners_but_keeps_the_ends_of_a_line() -> None:
    line = smooth([(0, 0), (10, 0), (10, 10)])
    assert line[0].tolist() == [0, 0]
    assert line[-1].tolist() == [10, 10]
    assert np.hypot(*(line - (10, 0)).T).min() > 1


def test_swells_a_cushion_up_to_its_height() -> None:
    height = inflated(disc((200, 200), (40, 40)), radius=20, height=10)
    assert height.max() == pytest.approx(10, rel=0.02)
    assert height[200, 20] == 0


@pytest.mark.parametrize("size", [1.6, 9, 60, (4, 22)])
def test_spreads_grain_about_zero(size: float | tuple[float, float]) -> None:
    noise = grain(np.random.default_rng(0), size)
    assert noise.shape == (HEIGHT, WIDTH)
    assert abs(noise.mean()) < 0.5
    assert 0.6 < noise.std() < 1.4


def test_lights_the_side_that_faces_the_light() -> None:
    canvas = Canvas.blank()
    canvas.colour[...] = 0.5
    canvas.bump((192, 256), (60, 60), 60)
    lit = shade(canvas, light=(-0.6, 0), ambient=0.4)
    assert lit[1, 256, 130] > 1.2 * lit[1, 256, 254]


def test_mixes_colours_by_share() -> None:
    assert mixed((0, 0, 0), (1, 0.5, 0), 0.5) == (0.5, 0.25, 0)
