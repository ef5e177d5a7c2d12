"""The geometry of the pages' drawings; the templates and the style sheet draw them.

Plain tables, CSS and inline SVG instead of pictures: they follow the reader's light or dark
theme, stay sharp and selectable, and are the same bytes on every machine.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

from maskkit.errors import MaskkitError


@dataclass(frozen=True)
class PlotLine:
    """A named line through the points (x, y); a y that is not finite leaves a gap.

    A faint one is the background of another, such as the values that the other smooths. With intervals, (low,
    high) of each point or None, every point is a dot on a whisker; dots alone have empty intervals. Lines of
    one group have one colour, and one place in the legend.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    group: str = ""  # the name, if it is empty
    is_faint: bool = False
    is_dashed: bool = False
    intervals: Sequence[tuple[float, float] | None] | None = None


@dataclass(frozen=True)
class Mark:
    """A vertical line at an x that is to be found again, with its name at the top or the bottom."""

    x: float
    label: str
    is_low: bool = False


@dataclass(frozen=True)
class Chart:
    """Lines over shared axes."""

    title: str
    x_label: str
    lines: tuple[PlotLine, ...]  # at least one with a point
    marks: tuple[Mark, ...] = ()  # on the axis too
    is_log: bool = False  # equal factors of x are equally far apart; points at 0 or below are left out
    highest: float | None = None  # y to be seen; lines leave the frame above it
    solid: str = ""  # what lines are that are not dashed, where some are
    dashed: str = ""

    @property
    def groups(self) -> list[str]:
        """The groups of its lines, each once, in their order; their places are their colours."""
        return list(dict.fromkeys(line.group or line.name for line in self.lines))


@dataclass(frozen=True)
class BarChart:
    """A histogram: counts between edges, and upright lines at some values, such as the edges of age bands."""

    title: str
    x_label: str
    y_label: str  # what is counted
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    rules: tuple[float, ...] = ()


class Tick(NamedTuple):
    """A labelled place on an axis, in units of the drawing."""

    at: float
    label: str


class Dot(NamedTuple):
    """A point of a line, and the ends of its interval; both None without one."""

    x: float
    y: float
    top: float | None
    bottom: float | None


class Band(NamedTuple):
    """All that is drawn at one x: where it is, what around it is nearest to it, and the values there."""

    at: float
    start: float
    width: float
    says: str


@dataclass(frozen=True)
class Drawing:
    """A chart laid out in a box of `width` by `height` units, y downwards; the others are its frame's."""

    chart: Chart
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Tick, ...]
    paths: tuple[str, ...]  # SVG path data, one per line
    dots: tuple[tuple[Dot, ...], ...]  # of each line, if it has intervals
    bands: tuple[Band, ...]  # side by side, by which the values of a place are found
    width: int = 360
    height: int = 220
    left: int = 44
    right: int = 350
    top: int = 10
    bottom: int = 182


class Bar(NamedTuple):
    """One bar of a histogram: its place, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Bars:
    """A histogram laid out in a box of `width` by `height` units, y downwards; bars stand on `base`."""

    chart: BarChart
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rules: tuple[float, ...]
    width: int = 360
    height: int = 184
    left: int = 44
    right: int = 350
    top: int = 24
    base: int = 144


def draw_bars(chart: BarChart) -> Bars:
    """Lay out a histogram of values that are not all alike; positions are rounded to a tenth of a unit."""
    low, high, base = chart.edges[0], chart.edges[-1], Bars.base
    y_marks = [mark for mark in ticks(0, max(*chart.counts, 1), about=3) if mark.is_integer()]
    most = max(*chart.counts, *y_marks)

    def across(value: float) -> float:
        return round(Bars.left + (value - low) / (high - low) * (Bars.right - Bars.left), 1)

    def tall(count: float) -> float:
        return count / most * (base - Bars.top)

    laid = []
    for (start, end), count in zip(pairwise(chart.edges), chart.counts, strict=True):
        height = round(max(tall(count), 1.0 if count else 0.0), 1)
        width = round(max(across(end) - across(start) - 1, 0.5), 1)
        says = f"{chart.x_label} {start:g} to {end:g}: {count:,} {chart.y_label}"
        laid.append(Bar(across(start), round(base - height, 1), width, height, says))
    marks = [mark for mark in ticks(low, high) if low <= mark <= high]
    return Bars(
        chart,
        tuple(laid),
        tuple(Tick(across(mark), f"{mark:g}") for mark in marks),
        tuple(Tick(round(base - tall(mark), 1), f"{mark:,.0f}") for mark in y_marks),
        tuple(across(rule) for rule in chart.rules if low < rule < high),
    )


def draw(chart: Chart) -> Drawing:
    """Lay out a chart; positions are rounded to a tenth of a unit, less than a pixel.

    Raises:
        MaskkitError: If no line has a point.
    """
    lines = [_drawable(line, is_log=chart.is_log) for line in chart.lines]
    points = [point for line in lines for point in line if point is not None]
    if not points:
        raise MaskkitError(
            f"chart {chart.title!r} has nothing to draw",
            why="none of its lines has a point that is finite",
            fix="leave the chart out",
        )
    along = [*(x for x, _ in points), *(mark.x for mark in chart.marks)]
    x_marks = decades(min(along), max(along)) if chart.is_log else ticks(min(along), max(along))
    if not chart.is_log and all(float(x).is_integer() for x in along) and max(along) > min(along):
        x_marks = [mark for mark in x_marks if mark.is_integer()]  # there is no epoch 1.5
    ends = [end for line in chart.lines for pair in line.intervals or () for end in pair or ()]
    seen = [y if chart.highest is None else min(y, chart.highest) for y in [*(y for _, y in points), *ends]]
    y_marks = ticks(min(seen), max(seen))

    def across(x: float) -> float:
        share = _share(x, x_marks, is_log=chart.is_log)
        return round(Drawing.left + share * (Drawing.right - Drawing.left), 1)

    def down(y: float) -> float:
        return round(Drawing.bottom - _share(y, y_marks) * (Drawing.bottom - Drawing.top), 1)

    paths = []
    for line in lines:
        path, command = "", "M"
        for point in line:
            path += "" if point is None else f"{command}{across(point[0])} {down(point[1])}"
            command = "M" if point is None else "L"
        paths.append(path)
    return Drawing(
        chart,
        x_ticks=tuple(Tick(across(mark), f"{mark:g}".replace("e-0", "e-")) for mark in x_marks),
        y_ticks=tuple(Tick(down(mark), f"{mark:g}") for mark in y_marks),
        marks=tuple(Tick(across(mark.x), mark.label) for mark in chart.marks),
        paths=tuple(paths),
        dots=tuple(_dots(line, across, down) for line in chart.lines),
        bands=tuple(_bands(chart, across)),
    )


def _bands(chart: Chart, across: Callable[[float], float]) -> Iterator[Band]:
    """Yield the values at each x at which a line has a point, each band up to half the way to the next."""
    found: dict[float, list[str]] = {}
    for line in chart.lines:
        for point in _drawable(line, is_log=chart.is_log):
            if point is not None:
                found.setdefault(point[0], []).append(f"{line.name}: {point[1]:.4g}")
    places = sorted(found)
    at = [across(x) for x in places]
    ends = [Drawing.left, *((one + other) / 2 for one, other in pairwise(at)), Drawing.right]
    for x, middle, (start, end) in zip(places, at, pairwise(ends), strict=True):
        says = "\n".join([f"{chart.x_label} {x:.4g}", *found[x]])
        yield Band(middle, round(start, 1), round(end - start, 1), says)


def _dots(
    line: PlotLine, across: Callable[[float], float], down: Callable[[float], float]
) -> tuple[Dot, ...]:
    if line.intervals is None:
        return ()
    return tuple(
        Dot(across(x), down(y), *((None, None) if pair is None else (down(pair[1]), down(pair[0]))))
        for x, y, pair in zip(line.x, line.y, line.intervals, strict=True)
        if isfinite(y)
    )


def decades(low: float, high: float) -> list[float]:
    """Return powers of ten from at or below `low` to at or above `high`, both above 0.

    >>> decades(0.002, 0.5)
    [0.001, 0.01, 0.1, 1.0]
    """
    first, last = floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9)
    return [float(f"1e{power}") for power in range(first, max(last, first + 1) + 1)]


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Return round numbers, evenly spaced, from at or below `low` to at or above `high`.

    >>> ticks(0.13, 0.82)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    size = max(abs(low), abs(high))
    if high - low <= 1e-9 * size or size < 1e-12:  # a flat line still needs an axis around it
        margin = size / 2 if size >= 1e-12 else 0.5
        low, high = low - margin, high + margin
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda size: abs(size - rough))
    first, last = floor(low / step + 1e-9), -floor(-high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _drawable(line: PlotLine, *, is_log: bool) -> list[tuple[float, float] | None]:
    """Return the points of a line, with None for each that has no place."""
    return [
        (x, y) if isfinite(x) and isfinite(y) and not (is_log and x <= 0) else None
        for x, y in zip(line.x, line.y, strict=True)
    ]


def _share(value: float, axis: Sequence[float], *, is_log: bool = False) -> float:
    """Return how far along an axis a value is, from 0 to 1."""
    value, first, last = (log10(each) if is_log else each for each in (value, axis[0], axis[-1]))
    return (value - first) / (last - first)
