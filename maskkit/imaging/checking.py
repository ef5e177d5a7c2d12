"""Look at every photo once, before hours are spent on them."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from maskkit.imaging.decode import Verdict, fault, judged
from maskkit.imaging.photo_file import PhotoError, photo_bytes
from maskkit.progress import track

BLOCK = 10_000  # photos waiting for a thread; each takes a kilobyte, and there may be millions


@dataclass(frozen=True)
class CheckedPhotos:
    """What was found by looking at photos."""

    # The sha256 of the list of all names and their sha256, which says which pixels a manifest was made for.
    digest: str
    faults: dict[str, str] = field(default_factory=dict)  # why photos cannot be used, by name
    complaints: dict[str, str] = field(default_factory=dict)  # what others lack, by name


def check_photos(root: Path, names: pa.ChunkedArray) -> CheckedPhotos:
    """Decode every photo below a folder, and digest what was read."""
    faults: dict[str, str] = {}
    complaints: dict[str, str] = {}
    digest = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes outside the interpreter's lock
        blocks = (names.slice(start, BLOCK).to_pylist() for start in range(0, len(names), BLOCK))
        found = chain.from_iterable(
            zip(block, pool.map(_look, (root / name for name in block)), strict=True) for block in blocks
        )
        for name, (verdict, sha256) in track(found, len(names), "photos"):
            digest.update(f"{sha256} {name}\n".encode())
            if verdict.fault is not None:
                faults[name] = verdict.fault
            elif verdict.complaint is not None:
                complaints[name] = verdict.complaint
    return CheckedPhotos(digest.hexdigest(), faults, complaints)


def unchecked(names: pa.ChunkedArray) -> str:
    """Return the digest of photos that are not looked at: of their names alone, `-` for each one's own."""
    digest = hashlib.sha256()
    for batch in pa.table([names], names=["name"]).to_batches(max_chunksize=BLOCK):
        lines = pc.binary_join_element_wise("- ", batch.column(0), "\n", "")
        digest.update(pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "")[0].as_buffer())
    return digest.hexdigest()


def _look(file: Path) -> tuple[Verdict, str]:
    try:
        with photo_bytes(file) as data:
            return judged(data), hashlib.sha256(data).hexdigest()
    except OSError as error:
        return Verdict(fault(error)), "-"
    except PhotoError as error:
        return Verdict(str(error)), "-"
