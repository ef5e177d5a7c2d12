"""Where maskkit keeps what it can make again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(chosen: str | None = None) -> Path:
    """Return the folder for caches: the one chosen, else MASKKIT_CACHE, else the platform's."""
    given = chosen or os.environ.get("MASKKIT_CACHE")
    if given:
        return Path(given)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "maskkit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskkit"
