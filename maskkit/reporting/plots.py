"""The geometry of the pages' drawings; the templates and the style sheet draw them.

Plain tables, CSS and inline SVG instead of pictures: they follow the reader's light or dark
theme, stay sharp and selectable, and are the same bytes on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10, sqrt

from maskkit.errors import MaskkitError


@dataclass(frozen=True)
class Line:
    """A named line through the points (x, y); a y that is not finite leaves a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Chart:
    """Lines over shared axes; the title names what is measured, such as "macro-F1"."""

    title: str
    x_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in units of the drawing."""

    at: float
    label: str


@dataclass(frozen=True)
class Drawing:
    """A chart laid out in a box of `width` by `height` units, y downwards.

    Args:
        chart: What is drawn.
        width: Width of the whole drawing.
        height: Height of the whole drawing.
        left, right, top, bottom: Edges of the plotting area.
        x_ticks: Places on the horizontal axis.
        y_ticks: Places on the vertical axis.
        paths: SVG path data, one per line.
    """

    chart: Chart
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True)
class HeatCell:
    """One cell of a heat map: its count, its share of the row, and whether it counts right answers."""

    count: int
    share: float
    right: bool

    @property
    def depth(self) -> float:
        """Depth of colour from 0 to 1: the root of the share, so that 1 in 100 can still be seen."""
        return round(sqrt(self.share), 3)


@dataclass(frozen=True)
class HeatRow:
    """The photos of one class, by what they were taken for."""

    name: str
    total: int
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class Mistake:
    """Photos of one class that were taken for another, and their share of the class."""

    truth: str
    answer: str
    count: int
    share: float


def heat_map(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[HeatRow]:
    """Lay out a confusion matrix, rows truth and columns answers; an empty row has shares of 0."""
    rows = []
    for truth, (name, counts) in enumerate(zip(names, confusion, strict=True)):
        total = sum(counts)
        cells = (
            HeatCell(count, count / total if total else 0.0, right=answer == truth)
            for answer, count in enumerate(counts)
        )
        rows.append(HeatRow(name, total, tuple(cells)))
    return rows


def largest_mistakes(rows: Sequence[HeatRow], *, most: int = 10) -> list[Mistake]:
    """Return the `most` frequent mistakes, the most frequent first and equals in class order."""
    mistakes = [
        Mistake(row.name, column.name, cell.count, cell.share)
        for row in rows
        for column, cell in zip(rows, row.cells, strict=True)
        if cell.count and not cell.right
    ]
    return sorted(mistakes, key=lambda mistake: -mistake.count)[:most]


def draw(chart: Chart) -> Drawing:
    """Lay out a chart; positions are rounded to a tenth of a unit, less than a pixel.

    Raises:
        MaskkitError: If no line has a point.
    """
    width, height, left, right, top, bottom = 360, 220, 44, 350, 10, 182
    points = [(x, y) for line in chart.lines for x, y in zip(line.x, line.y, strict=True) if _drawable(x, y)]
    if not points:
        raise MaskkitError(
            f"chart {chart.title!r} has nothing to draw",
            why="none of its lines has a point that is finite",
            fix="leave the chart out",
        )
    x_marks = ticks(min(x for x, _ in points), max(x for x, _ in points))
    y_marks = ticks(min(y for _, y in points), max(y for _, y in points))

    def across(x: float) -> float:
        return round(left + (x - x_marks[0]) / (x_marks[-1] - x_marks[0]) * (right - left), 1)

    def down(y: float) -> float:
        return round(bottom - (y - y_marks[0]) / (y_marks[-1] - y_marks[0]) * (bottom - top), 1)

    paths = []
    for line in chart.lines:
        path, command = "", "M"
        for x, y in zip(line.x, line.y, strict=True):
            path += f"{command}{across(x)} {down(y)}" if _drawable(x, y) else ""
            command = "L" if _drawable(x, y) else "M"
        paths.append(path)
    x_ticks = tuple(Tick(across(mark), f"{mark:g}") for mark in x_marks)
    y_ticks = tuple(Tick(down(mark), f"{mark:g}") for mark in y_marks)
    return Drawing(chart, width, height, left, right, top, bottom, x_ticks, y_ticks, tuple(paths))


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


def _drawable(x: float, y: float) -> bool:
    return isfinite(x) and isfinite(y)
