"""Pagers: programs that read standard output and show it to a person."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

PAGERS = frozenset({"less", "more", "most", "pg", "bat", "batcat", "moar", "ov"})
NAME_KEPT = 15  # letters of a program's name, of which Linux knows no more


def a_pager_reads() -> bool:
    """Whether standard output is a pipe into a pager; only Linux tells who reads a pipe."""
    try:
        pipe = os.readlink("/proc/self/fd/1")  # noqa: PTH115 - it is the name of no file
        programs = [place for place in Path("/proc").iterdir() if place.name.isdecimal()]
    except OSError:
        return False
    pagers = PAGERS | _own()
    return pipe.startswith("pipe:") and any(_reads(place, pipe, pagers) for place in programs)


def _own() -> frozenset[str]:
    """Return the pager that the user has chosen, if any."""
    try:
        words = shlex.split(os.environ.get("PAGER", ""))
    except ValueError:
        return frozenset()
    return frozenset({Path(words[0]).name[:NAME_KEPT]} if words else ())


def _reads(place: Path, pipe: str, pagers: frozenset[str]) -> bool:
    try:
        is_pager = (place / "comm").read_text(errors="replace").rstrip("\n") in pagers
        return is_pager and os.readlink(place / "fd" / "0") == pipe  # noqa: PTH115 - as above
    except OSError:  # it has ended, or is another user's
        return False
