"""Where maskkit keeps what it can make again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "MASKKIT_CACHE"


def cache_folder(chosen: str | None = None) -> Path:
    """Return the folder chosen, or that of MASKKIT_CACHE, or the platform's own for caches."""
    named = chosen or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "maskkit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskkit"
