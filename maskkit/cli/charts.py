"""Small bar charts and tables that a terminal shows of photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import new_table

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.describing.eda_results import DuplicatePairs
    from maskkit.describing.photo_properties import Spread

MOST_NAMED = 3
BAR = 10  # characters
EIGHTHS = " ▏▎▍▌▋▊▉█"
HEIGHTS = " ▁▂▃▄▅▆▇█"


def pair_table(kinds: Sequence[DuplicatePairs]) -> Table:
    """Show how many duplicates there are of each kind, and examples of the kinds that should not be."""
    shown = new_table("pairs of duplicates", "", "exact", "near", "for example")
    shown.columns[3].justify = "left"
    shown.columns[3].no_wrap = False
    shown.columns[3].overflow = "fold"
    for kind in kinds:
        is_usual = kind.name in ("all", "inside one person") and len(kinds) > 1
        named = () if is_usual else kind.named[:MOST_NAMED]
        examples = "\n".join(f"{pair.one} {'=' if pair.is_exact else '~'} {pair.other}" for pair in named)
        if examples:
            shown.width = 80  # and the paths fold
        shown.add_row(escape(kind.name), f"{kind.exact:,}", f"{kind.near:,}", escape(examples))
    return shown


def bar(share: float, width: int = BAR) -> str:
    """Draw a share of 1 in eighths of a character; what is more than nothing is seen."""
    eighths = max(round(min(1.0, share) * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def spark(spread: Spread) -> str:
    """Draw a histogram in 12 characters."""
    counts = spread.histogram.counts
    joined = (
        [sum(counts[start : start + 2]) for start in range(0, len(counts), 2)] if len(counts) > 12 else counts
    )
    most = max(joined)
    return "".join(HEIGHTS[-(-8 * count // most)] for count in joined)


def scale_note(half: bool) -> str:
    """Return what a title adds if photos were decoded at half their size."""
    return ", JPEGs at half their size" if half else ""


def ratio(value: float | None) -> str:
    """Write how many times as large the largest is."""
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def short(value: float) -> str:
    """Write a number in about four digits."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}"
