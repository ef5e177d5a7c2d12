from itertools import pairwise
from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.errors import MaskkitError
from maskkit.reporting.plots import BarChart, Chart, Mark, PlotLine, decades, draw, draw_bars, ticks

NAN = float("nan")


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6).filter(lambda size: size == 0 or size > 1e-3))
def test_ticks_are_few_even_and_hold_all_values(low: float, size: float) -> None:
    marks = ticks(low, low + size)
    slack = 1e-6 * (marks[-1] - marks[0])  # the line may touch the edge
    assert marks[0] <= low + slack
    assert marks[-1] >= low + size - slack
    assert 2 <= len(marks) <= 12
    steps = [after - before for before, after in pairwise(marks)]
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_draws_larger_values_higher_and_inside_the_axes() -> None:
    drawing = draw(Chart("loss", "epoch", (PlotLine("held out", [0, 5, 10], [0, 2, 1]),)))
    assert drawing.paths == ("M44.0 182.0L197.0 10.0L350.0 96.0",)
    assert [tick.label for tick in drawing.y_ticks] == ["0", "0.5", "1", "1.5", "2"]
    assert (drawing.x_ticks[0].at, drawing.x_ticks[-1].at) == (drawing.left, drawing.right)


def test_leaves_a_gap_where_a_value_is_not_finite() -> None:
    drawing = draw(Chart("loss", "epoch", (PlotLine("held out", [0, 1, 2, 3, 4], [NAN, 1, 2, NAN, 2]),)))
    assert drawing.paths[0].count("M") == 2
    assert drawing.paths[0].count("L") == 1
    assert "nan" not in drawing.paths[0]


def test_refuses_a_chart_without_points() -> None:
    with pytest.raises(MaskkitError, match="'loss' has nothing to draw"):
        draw(Chart("loss", "epoch", (PlotLine("held out", [1], [NAN]),)))


@given(st.floats(1e-9, 1e9), st.floats(1, 1e6))
def test_decades_hold_all_values_between_two_powers_of_ten(low: float, factor: float) -> None:
    marks = decades(low, low * factor)
    assert marks[0] <= low * (1 + 1e-6)
    assert marks[-1] >= low * factor * (1 - 1e-6)
    assert len(marks) >= 2
    assert all(after / before == pytest.approx(10) for before, after in pairwise(marks))
    assert len(marks) <= 3 + log10(factor)


def test_equal_factors_are_equally_far_apart_on_a_logarithmic_axis() -> None:
    line = PlotLine("loss", [1e-6, 1e-4, 1e-2], [0, 1, 2])
    drawing = draw(Chart("loss", "rate", (line,), is_log=True))
    assert drawing.paths == ("M44.0 182.0L197.0 96.0L350.0 10.0",)
    assert [tick.label for tick in drawing.x_ticks] == ["1e-6", "1e-5", "0.0001", "0.001", "0.01"]


def test_a_logarithmic_axis_has_no_place_for_0() -> None:
    drawing = draw(Chart("loss", "rate", (PlotLine("loss", [0, -1, 1, 10], [5, 5, 0, 1]),), is_log=True))
    assert drawing.paths == ("M44.0 182.0L350.0 10.0",)


def test_marks_are_on_the_axis_even_outside_the_lines() -> None:
    line = PlotLine("loss", [1e-2, 1e-1], [0, 1])
    drawing = draw(Chart("loss", "rate", (line,), marks=(Mark(1e-3, "here"),), is_log=True))
    (mark,) = drawing.marks
    assert (mark.at, mark.label) == (drawing.left, "here")
    assert drawing.x_ticks[0].label == "0.001"


def test_what_is_above_the_highest_leaves_the_frame_at_the_top() -> None:
    drawing = draw(Chart("loss", "epoch", (PlotLine("a", [0, 1, 2], [0, 2, 1000]),), highest=2))
    assert drawing.y_ticks[-1].label == "2"
    assert drawing.paths[0].endswith("L350.0 -85818.0")


def test_bars_are_as_high_as_their_counts_and_rules_lie_within() -> None:
    laid = draw_bars(BarChart("age", "age", "people", (10, 20, 30, 60), (5, 10, 0), rules=(30, 90)))
    heights = [one.height for one in laid.bars]
    assert heights[0] == pytest.approx(heights[1] / 2, abs=0.1)
    assert heights[2] == 0
    assert [one.y + one.height for one in laid.bars] == pytest.approx([laid.base] * 3, abs=0.1)
    assert len(laid.rules) == 1
    assert [tick.label for tick in laid.y_ticks] == ["0", "2", "4", "6", "8", "10"]
    assert (laid.y_ticks[0].at, laid.y_ticks[-1].at) == (laid.base, laid.top)
    assert laid.bars[0].says == "age 10 to 20: 5 people"
    assert laid.bars[2].x - 1 < laid.rules[0] < laid.bars[2].x + 1


def test_each_x_has_the_values_of_all_lines_there() -> None:
    lines = (PlotLine("a", [1, 2, 4], [0.5, 1, NAN]), PlotLine("b", [1, 4], [2, 3]))
    bands = draw(Chart("loss", "epoch", lines)).bands
    assert [band.says for band in bands] == ["epoch 1\na: 0.5\nb: 2", "epoch 2\na: 1", "epoch 4\nb: 3"]
    ends = [(band.start, band.start + band.width) for band in bands]
    assert [end for _, end in ends[:-1]] == pytest.approx([start for start, _ in ends[1:]], abs=0.1)
    assert all(start <= band.at <= end for band, (start, end) in zip(bands, ends, strict=True))


def test_an_axis_of_whole_numbers_has_no_others() -> None:
    def labels(*x: float) -> list[str]:
        return [tick.label for tick in draw(Chart("loss", "epoch", (PlotLine("a", x, x),))).x_ticks]

    assert labels(1, 2, 3) == ["1", "2", "3"]
    assert labels(0, 0.5, 1) == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert len(labels(1)) > 1
