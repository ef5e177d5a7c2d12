"""Options as services take hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS = {"None": "none", "True": "true", "False": "false"}


def plain(options: Mapping[str, Any]) -> dict[str, int | float | str]:
    """Return options as numbers and texts: TensorBoard shows a truth as 1, and leaves out what is None."""
    return {
        name: value if type(value) in (int, float, str) else WORDS.get(str(value), str(value))
        for name, value in options.items()
    }
