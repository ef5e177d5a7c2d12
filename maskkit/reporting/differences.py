"""Differences between scores, on an axis through 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from maskkit.reporting.plots import ticks
from maskkit.scoring.results import Estimate


@dataclass(frozen=True)
class Span:
    """A difference on an axis through 0: places in per cent of the width; None where it is undefined."""

    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Axis:
    """An axis from `-reach` to `reach`, the same for all differences of a page."""

    reach: float

    @classmethod
    def around(cls, differences: Iterable[Estimate]) -> Axis:
        """Return the axis that holds every difference and its interval."""
        ends = [abs(end) for one in differences for end in (one.value, one.low, one.high) if end]
        return cls(ticks(0, max(ends, default=0.01), about=4)[-1])

    @property
    def labels(self) -> tuple[str, str, str]:
        """What stands at its left end, middle and right end."""
        return f"{-self.reach:g}", "0", f"+{self.reach:g}"

    def span(self, one: Estimate) -> Span:
        """Place a difference."""
        return Span(self._place(one.value), self._place(one.low), self._place(one.high))

    def _place(self, value: float | None) -> float | None:
        return None if value is None else round(50 + 50 * value / self.reach, 2)
