"""`maskkit eda` of as many photos as the competition has, beside a plain loop; what half the size changes.

    python benchmarks/eda.py photos/train/images --runs 3

The photos are copies and variants (compressed and brightened anew) of those in the folder, in a temporary
folder, or in `--keep FOLDER`, which is used again if it is there. The plain loop, Pillow and NumPy on one
core, runs over a sample of the same photos; the command runs whole, with its start, tables and duplicates.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance
from scipy.stats import spearmanr
from timing import Cost, in_turns, medians, report, run_command

from maskkit.imaging.survey import survey
from maskkit.options.train_options import PHOTO_SUFFIXES

COMPARED = ("brightness", "contrast", "mean", "std")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=18_900)
    parser.add_argument("--sample", type=int, default=600, help="photos of the plain loop")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "photos"
        if not folder.is_dir():
            multiply(options.photos, folder, options.count)
        files = sorted(folder.iterdir())
        time_them(files, folder, options)
        compare_scales(files, options.save)


def multiply(source: Path, folder: Path, count: int) -> None:
    """Fill a folder with copies of photos, then with variants of each, until there are `count`."""
    found = sorted(file for file in source.rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES)
    folder.mkdir(parents=True)

    def make(number: int) -> None:
        file, turn = found[number % len(found)], number // len(found)
        target = folder / f"{turn}-{number % len(found):06d}.jpg"
        if turn == 0:
            target.write_bytes(file.read_bytes())
        else:
            with Image.open(file) as image:
                varied = ImageEnhance.Brightness(image.convert("RGB")).enhance(1 + 0.05 * turn)
            varied.save(target, quality=92 - 4 * turn)

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, range(count)))


def plain(files: Sequence[Path]) -> None:
    """Measure photos as a notebook would: one by one, in floating point."""
    for file in files:
        data = file.read_bytes()
        hashlib.sha256(data).hexdigest()
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGB")) / 255
        pixels.mean(axis=(0, 1))
        pixels.std(axis=(0, 1))
        luma = pixels @ [0.299, 0.587, 0.114]
        luma.mean()
        luma.std()
        edges = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
        edges.var()


def time_them(files: Sequence[Path], folder: Path, options: Any) -> None:
    sample = files[:: max(1, len(files) // options.sample)]
    words = [sys.executable, "-m", "maskkit", "eda", folder, "--json", "--quiet"]
    costs: dict[str, list[Cost]] = {"plain loop, one core": [], "exact": [], "--half": []}
    for _ in range(options.runs):
        costs["plain loop, one core"] += in_turns({"it": lambda: plain(sample)}, runs=1)["it"]
        costs["exact"].append(run_command(words))
        costs["--half"].append(run_command([*words, "--half"]))
    lines = []
    middle = medians(costs)
    base = middle["plain loop, one core"]
    for name, cost in middle.items():
        photos = len(sample) if cost is base else len(files)
        lines.append(
            {
                "": name,
                "photos": photos,
                "seconds": cost.seconds,
                "ms per photo": 1000 * cost.seconds / photos,
                "CPU ms per photo": 1000 * cost.cpu_seconds / photos,
                "x plain": base.seconds / len(sample) / (cost.seconds / photos),
                "x plain, CPU": base.cpu_seconds / len(sample) / (cost.cpu_seconds / photos),
                "peak MB": cost.peak_mb,
            }
        )
    report(f"eda of {len(files)} photos, {options.runs} runs", lines, save=options.save)


def compare_scales(files: Sequence[Path], save: Path | None) -> None:
    """Say how far statistics at half the size are from the exact ones, in units of 1 (black to white)."""
    exact, half = survey(files, scale=1), survey(files, scale=2)
    lines = []
    for name in COMPARED:
        apart = np.abs(half[name].astype(np.float64) - exact[name])
        lines.append(
            {
                "per photo": name,
                "mean error": apart.mean(),
                "99 %": np.quantile(apart, 0.99),
                "largest": apart.max(),
            }
        )
    for name, one, other in zip(("mean", "std"), exact.colour(), half.colour(), strict=True):
        lines.append(
            {
                "per photo": f"{name} of all photos",
                "mean error": np.abs(one - other).max(),
                "99 %": "",
                "largest": "",
            }
        )
    rank = spearmanr(exact["sharpness"], half["sharpness"]).statistic
    lines.append(
        {"per photo": f"sharpness: rank correlation {rank:.3f}", "mean error": "", "99 %": "", "largest": ""}
    )
    report(f"half against exact, {len(files)} photos", lines, save=save)


if __name__ == "__main__":
    main()
