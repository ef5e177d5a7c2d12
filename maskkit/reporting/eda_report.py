"""The HTML pages of `maskkit eda`: one set of photos, or two compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from maskkit.describing.eda_results import Eda
from maskkit.describing.photo_properties import Histogram
from maskkit.describing.set_comparison import Comparison
from maskkit.reporting.old_pages import render
from maskkit.reporting.plots import Tick, ticks

MOST_RARE = 60
MOST_CLASSES = 400  # a page with more would be too large
WIDTH, HEIGHT, BASE = 360, 150, 126  # of a drawing, in its units; bars stand on BASE


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram: its place, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Bars:
    """A histogram laid out in a box of `width` by `height` units, y downwards.

    Args:
        title: What is counted.
        bars: From left to right.
        x_ticks: Places on the axis below the bars.
        rules: Places of upright lines, such as the edges of age bands.
        width, height, base: Of the box, and the line that bars stand on.
    """

    title: str
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    rules: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    base: int = BASE


def eda_page(result: Eda, *, history: str, sheets: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Return the page of one set.

    Args:
        result: What to show.
        history: The commands that made the manifest; empty if none did.
        sheets: Name and data URI of the photos of each contact sheet.
    """
    facts = {"Photos": f"{result.photos:,}", "Labelled": f"{result.labelled:,}"}
    if result.people is not None:
        facts["People"] = f"{result.people:,}"
    if result.alone:
        facts["Photos without a person"] = f"{result.alone:,}"
    spreads = () if result.pictures is None else result.pictures.look.spreads
    return render(
        "eda.html",
        title=f"The data of {result.name}",
        facts=facts,
        history=history,
        found=result,
        most_rare=MOST_RARE,
        most_classes=MOST_CLASSES,
        ages=[(one, bars(one.people, f"people by {one.name}", rules=one.cuts)) for one in result.ages],
        spreads=[(one, bars(one.histogram, one.name)) for one in spreads if not one.is_constant],
        constant=[one for one in spreads if one.is_constant],
        sheets=sheets,
        pictures=bool(sheets),
    )


def comparison_page(result: Comparison) -> str:
    """Return the page of two sets."""
    facts = dict(
        zip(
            ("First", "Second"),
            (f"{name}, {count:,} photos" for name, count in zip(result.names, result.photos, strict=True)),
            strict=True,
        )
    )
    return render(
        "shift.html",
        title=f"{result.names[0]} and {result.names[1]}",
        facts=facts,
        history="",
        found=result,
        most_classes=MOST_CLASSES,
    )


def bars(histogram: Histogram, title: str, *, rules: Sequence[float] = ()) -> Bars:
    """Lay out a histogram of values that are not all alike; positions are rounded to a tenth of a unit."""
    low, high = histogram.edges[0], histogram.edges[-1]
    left, right, top = 14, WIDTH - 14, 12
    most = max(*histogram.counts, 1)

    def across(value: float) -> float:
        return round(left + (value - low) / (high - low) * (right - left), 1)

    laid = []
    for (start, end), count in zip(pairwise(histogram.edges), histogram.counts, strict=True):
        height = round(max(count / most * (BASE - top), 1.0 if count else 0.0), 1)
        width = round(max(across(end) - across(start) - 1, 0.5), 1)
        laid.append(
            Bar(across(start), round(BASE - height, 1), width, height, f"{start:g} to {end:g}: {count:,}")
        )
    marks = [mark for mark in ticks(low, high) if low <= mark <= high]
    return Bars(
        title,
        tuple(laid),
        tuple(Tick(across(mark), f"{mark:g}") for mark in marks),
        tuple(Tick(across(rule), f"{rule:g}") for rule in rules if low < rule < high),
    )
