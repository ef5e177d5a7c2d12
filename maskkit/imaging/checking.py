"""Look at every photo once, before hours are spent on them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from maskkit.imaging.decode import fault, faulty
from maskkit.progress import Track, untracked

BLOCK = 10_000  # photos waiting for a thread; each takes a kilobyte, and there may be millions


def check_photos(
    files: Sequence[Path], *, names: Sequence[str], track: Track = untracked
) -> tuple[dict[str, str], str]:
    """Decode every photo, and digest what was read.

    Args:
        files: The photos.
        names: What each is called in the result.
        track: Shows progress.

    Returns:
        What is wrong with each photo that cannot be used, by name; and the sha256 of the list of
        all names and their sha256, which says which pixels a manifest was made for.
    """
    faults: dict[str, str] = {}
    digest = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
        blocks = (files[start : start + BLOCK] for start in range(0, len(files), BLOCK))
        looks = chain.from_iterable(pool.map(_look, block) for block in blocks)
        for name, (why, sha256) in zip(names, track(looks, len(files), "photos"), strict=True):
            digest.update(f"{sha256} {name}\n".encode())
            if why is not None:
                faults[name] = why
    return faults, digest.hexdigest()


def _look(file: Path) -> tuple[str | None, str]:
    try:
        data = file.read_bytes()
    except OSError as error:
        return fault(error), "-"
    why = "empty" if not data else faulty(io.BytesIO(data))
    return why, hashlib.sha256(data).hexdigest()
