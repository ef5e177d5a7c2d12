"""How each kind of value of a report is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from maskkit.reporting.table import Column, Kind, Table, Value
from maskkit.scoring.results import Estimate, FoldSpread


def written(value: Value, column: Column) -> tuple[str, str]:
    """Write a value, and, of an estimate, its interval; an undefined one as a dash."""
    if value == "" or column.kind == "bar":
        return "", ""
    if isinstance(value, Estimate) and column.kind not in ("score", "difference"):
        value = value.value  # its interval has no room
    if isinstance(value, Estimate):
        signed = column.kind == "difference"
        if value.low is None or value.high is None:
            return decimal(value.value, column.places, signed=signed), ""
        low, high = (decimal(end, column.places, signed=signed) for end in (value.low, value.high))
        return decimal(value.value, column.places, signed=signed), f"{low}{' to ' if signed else '-'}{high}"
    if isinstance(value, FoldSpread):
        ends = "" if value.deviation is None else f"± {decimal(value.deviation, column.places)}"
        return decimal(value.mean, column.places), ends
    if value is None:
        return "-", ""
    write = _WRITE.get(column.kind)
    return (str(value) if write is None else write(value, column.places)), ""


_WRITE: dict[Kind, Callable[[Any, int], str]] = {
    "count": lambda value, _: f"{value:,}",
    "total": lambda value, _: f"{value:,}",
    "flag": lambda value, _: "yes" if value else "no",
    "share": lambda value, digits: percent(value, digits=digits),
    "decimal": lambda value, digits: decimal(value, digits=digits),
    "signed": lambda value, digits: decimal(value, digits, signed=True),
    "short": lambda value, _: short(value),
    "chance": lambda value, _: f"{value:.4f}" if value >= 0.0001 else "< 0.0001",
    "plain": lambda value, _: f"{value:g}",
    "pair": lambda value, _: f"{value[0]:,}/{value[1]:,}",
    "spark": lambda value, _: spark(value),
}


def widths(table: Table, at: int) -> tuple[int, int]:
    """Return how many characters a column's values take, and its intervals, so that both stay in line."""
    texts = [written(row.cells[at], table.columns[at]) for row in table.rows]
    return max((len(text) for text, _ in texts), default=0), max((len(end) for _, end in texts), default=0)


def decimal(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """Write a measure, an undefined one as a dash, and none as -0.000."""
    if value is None:
        return "-"
    sign = "+" if signed and round(value, digits) else ""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def percent(share: float, digits: int = 1) -> str:
    """Write a share in per cent, and never 0 or 100 for what is only nearly so."""
    text = f"{share:.{digits}%}"
    if share > 0 and float(text[:-1]) == 0:
        return f"<{10.0**-digits:.{digits}f}%"
    return f">{100 - 10.0**-digits:.{digits}f}%" if share < 1 and float(text[:-1]) == 100 else text


def short(value: float) -> str:
    """Write a number in about four digits."""
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def spark(counts: Sequence[int], width: int = 12) -> str:
    """Draw a histogram in `width` characters or fewer."""
    per = -(-len(counts) // width)
    joined = [sum(counts[start : start + per]) for start in range(0, len(counts), per)]
    most = max(1, *joined)
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * count // most)] for count in joined)
