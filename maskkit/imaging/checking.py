"""Look at every photo once, before hours are spent on them."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from maskkit.imaging.decode import fault, faulty
from maskkit.progress import track

BLOCK = 10_000  # photos waiting for a thread; each takes a kilobyte, and there may be millions


def check_photos(root: Path, names: pa.ChunkedArray) -> tuple[dict[str, str], str]:
    """Decode every photo below a folder, and digest what was read.

    Returns:
        What is wrong with each photo that cannot be used, by name; and the sha256 of the list of
        all names and their sha256, which says which pixels a manifest was made for.
    """
    faults: dict[str, str] = {}
    digest = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
        blocks = (names.slice(start, BLOCK).to_pylist() for start in range(0, len(names), BLOCK))
        found = chain.from_iterable(
            zip(block, pool.map(_look, (root / name for name in block)), strict=True) for block in blocks
        )
        for name, (why, sha256) in track(found, len(names), "photos"):
            digest.update(f"{sha256} {name}\n".encode())
            if why is not None:
                faults[name] = why
    return faults, digest.hexdigest()


def unchecked(names: pa.ChunkedArray) -> str:
    """Return the digest of photos that are not looked at: of their names alone, `-` for each one's own."""
    digest = hashlib.sha256()
    for batch in pa.table([names], names=["name"]).to_batches(max_chunksize=BLOCK):
        lines = pc.binary_join_element_wise("- ", batch.column(0), "\n", "")
        digest.update(pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "")[0].as_buffer())
    return digest.hexdigest()


def _look(file: Path) -> tuple[str | None, str]:
    try:
        data = file.read_bytes()
    except OSError as error:
        return fault(error), "-"
    why = "empty" if not data else faulty(io.BytesIO(data))
    return why, hashlib.sha256(data).hexdigest()
