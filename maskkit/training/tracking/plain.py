"""Options as services take hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(options: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Return options as numbers and texts; an option that is not given reads `none`, and does not vanish."""
    return {
        name: value if isinstance(value, bool | int | float | str) else "none" if value is None else str(value)
        for name, value in options.items()
    }
