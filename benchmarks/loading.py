"""What it costs that records of the cache are read, not mapped, and checked whenever they are read.

    python benchmarks/loading.py folds.parquet

An epoch's loading from the cache, as training does it (batches of 64 in random order, light augmentation, in
one thread, so that its processor time is the loading's), against the same from a memory-mapped file that
nobody checks, as the cache gave its records before they had checksums; and without augmentation.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast
from unittest.mock import patch

import numpy as np
from timing import in_turns, report

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.records import Cache, RecordsInMemory, StoredRecords
from maskkit.cli.shell import startup
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import batches, shuffled
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.photos import Photos
from maskkit.options.choices import parse
from maskkit.options.techniques import AUGMENTATIONS


class Anything:
    """A checksum that is the same as any other."""

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def unchecked_epoch(photos: Photos, name: str) -> None:
    same = Anything()
    with patch("maskkit.cache.store.checksum_of", lambda *_: same):
        epoch(photos, name)


def epoch(photos: Photos, name: str) -> None:
    augment = augmentation((parse(name, AUGMENTATIONS, option="--augment"),))
    order = shuffled(np.arange(len(photos)), seed=0, epoch=1, augment=augment)
    for _ in batches(photos, order, batch_size=64, workers=0):
        pass


def mapped(photos: Photos) -> Photos:
    kept = cast(StoredRecords, photos.cached)
    store = kept.files.store
    path = kept.files.folder / store.name / "data"
    data = np.memmap(path, store.dtype, "r", shape=(len(kept.files.entries), *store.shape))
    return replace(photos, cached=RecordsInMemory(data, kept.place))


def compare(manifest: Manifest, size: tuple[int, int], runs: int) -> None:
    preprocess = Preprocess(*size, (0.5,) * 3, (0.5,) * 3, "bicubic")
    with tempfile.TemporaryDirectory() as folder:
        checked = open_photos(manifest.located(cache=Cache(Path(folder), 50 * 10**9)), preprocess)
        for augment in ("light", "none"):
            sides = {
                "mapped, not checked": partial(epoch, mapped(checked), augment),
                "read, not checked": partial(unchecked_epoch, checked, augment),
                "read and checked": partial(epoch, checked, augment),
            }
            costs = {
                name: [cost.cpu_seconds / len(checked) * 1e6 for cost in each]
                for name, each in in_turns(sides, runs=runs).items()
            }
            base = costs["mapped, not checked"]
            lines = [
                {"": name, "CPU us per photo": statistics.median(each),
                 "ratio": f"{statistics.median(np.divide(each, base)):.3f}"}
                for name, each in costs.items()
            ]  # fmt: skip
            report(f"Loading {len(checked)} photos at {size[0]}x{size[1]}, augment {augment}", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest")
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    startup.prepare_for_torch()  # keeps freed memory, as every command does
    manifest = Manifest.read(given.manifest)
    for size in ((128, 96), (224, 224)):
        compare(manifest, size, given.runs)


if __name__ == "__main__":
    main()
