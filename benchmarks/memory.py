"""Peak memory of `maskkit train` on the competition's number of photos, the pages of mapped files aside.

    python benchmarks/memory.py folds.parquet --photos 18900 --keep many

Photos are copies of the manifest's with other bytes behind their end, so that each has a digest of its own.
--keep leaves them, and their manifest, in a folder for other benchmarks.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from timing import report

from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.roots import photo_files
from maskkit.stages.label import label
from maskkit.stages.split import split


def multiply(manifest: Manifest, count: int, folder: Path) -> Path:
    """Write `count` photos and their manifest with five folds; return the latter's path."""
    files, rows = photo_files(manifest), []
    people, factors = manifest.table["person_id"].to_pylist(), manifest.table.to_pylist()
    for number in range(count):
        copy, row = divmod(number, len(files))
        name = f"{copy}/{row}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(files[row].read_bytes() + f"copy {copy}".encode())
        one = factors[row]
        rows.append((name, f"{copy}-{people[row]}", one["mask"], one["gender"], one["age"]))
    with (folder / "photos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "person_id", "mask", "gender", "age"), *rows])
    split(label(folder / "photos.csv"), folds=5).write(folder / "folds.parquet")
    return folder / "folds.parquet"


def peak_of(words: list[str]) -> tuple[float, float, float]:
    """Return the most anonymous and the most mapped memory of a command, in MB, and its seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = {"RssAnon": 0, "RssFile": 0}
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed")
    return most["RssAnon"] / 1024, most["RssFile"] / 1024, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest")
    parser.add_argument("--photos", type=int, default=18_900)
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--size", default="128x96")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    many = folder / "folds.parquet"
    if not many.exists():
        multiply(Manifest.read(given.manifest), given.photos, folder)
    try:
        words = [sys.executable, "-m", "maskkit", "train", str(many), "-o", str(folder / "fold0.safetensors"),
                 "--force", "--epochs", str(given.epochs), "--model", given.model, "--size", given.size,
                 "--weights", "none",
                 "--cache", str(folder / "cache")]  # fmt: skip
        anonymous, mapped, seconds = peak_of(words)
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    report(
        f"Peak memory of train, {given.photos} photos, {given.model} at {given.size}, {given.epochs} epochs",
        [{"own memory, MB": anonymous, "mapped files, MB": mapped, "seconds": seconds}],
    )


if __name__ == "__main__":
    main()
