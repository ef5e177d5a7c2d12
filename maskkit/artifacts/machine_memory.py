"""How much memory a process can have: that of the machine, or of the job or container that it runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/proc/self/cgroup")  # a line per hierarchy: its number, what it limits, and our place in it
LIMITS = Path("/sys/fs/cgroup")


def machine_memory() -> int:
    """Return the bytes of memory that this process can have at most, swap aside.

    Schedulers and containers limit them by control groups, each within those above it.
    """
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *_limits()])


def _limits() -> Iterator[int]:
    """Yield the limits of our control groups, in version 2 and version 1."""
    lines: list[str] = []
    with suppress(OSError, UnicodeDecodeError):
        lines = GROUPS.read_text().splitlines()
    for line in lines:
        _, _, rest = line.partition(":")
        limited, _, place = rest.partition(":")
        if not limited:
            top, name = LIMITS, "memory.max"
        elif "memory" in limited.split(","):
            top, name = LIMITS / "memory", "memory.limit_in_bytes"
        else:
            continue
        ours = top / place.strip("/")
        for group in (ours, *ours.parents):
            if group == top.parent:
                break
            with suppress(OSError, ValueError):  # the first is not there, or has no limit: "max"
                yield int((group / name).read_text())
