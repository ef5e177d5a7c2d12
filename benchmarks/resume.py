"""What it costs to keep what is finished for --resume: the look of `label` at photos, with and without.

    python benchmarks/resume.py photos/train/images --runs 9

The photos are symbolic links to those in the folder, several to each, in a temporary folder, on whose disk
the blocks are kept. In turns; the cost is the median of the quotients of neighbouring runs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import pyarrow as pa
from timing import in_turns, medians, report

from maskkit.artifacts.header import Record
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.imaging.checking import check_photos
from maskkit.options.train_options import PHOTO_SUFFIXES


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=18_900)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--save", type=Path)
    given = parser.parse_args()
    photos = sorted(path for path in given.photos.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{number:06d}.jpg" for number in range(given.count)]
        for number, name in enumerate(names):
            (Path(folder) / name).symlink_to(photos[number % len(photos)].resolve())

        def look(progress: Path | None) -> None:
            with ProgressFile(progress, Record("label", {})) as kept:
                check_photos(Path(folder), pa.chunked_array([names]), kept=kept)
            if progress is not None:
                progress.unlink()

        look(None)  # photos are in memory, and so is the code
        costs = in_turns(
            {"not kept": lambda: look(None), "kept": lambda: look(Path(folder) / "kept")}, runs=given.runs
        )
    lines = [
        {"": name, "seconds": round(cost.seconds, 2), "CPU seconds": round(cost.cpu_seconds, 2)}
        for name, cost in medians(costs).items()
    ]
    pairs = list(zip(costs["kept"], costs["not kept"], strict=True))
    cpu = statistics.median(kept.cpu_seconds / other.cpu_seconds for kept, other in pairs)
    clock = statistics.median(kept.seconds / other.seconds for kept, other in pairs)
    title = f"{given.count} photos: {100 * (cpu - 1):+.1f} % of CPU, {100 * (clock - 1):+.1f} % by the clock"
    report(title, lines, save=given.save)


if __name__ == "__main__":
    main()
