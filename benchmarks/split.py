"""Folds: maskkit's beside scikit-learn's StratifiedGroupKFold, and what `split` costs as rows grow.

    python benchmarks/split.py                      # side by side up to 1.89 million rows, alone up to 18.9
    python benchmarks/split.py --only peer --most 189000
    python benchmarks/split.py --only command       # the whole command; needs about 6 GB at 18.9 million rows

Both sides are handed the same two arrays, person and class of each photo, and give each photo its fold:
finding the distinct people and counting their photos is in the time of both. scikit-learn gives its folds
as five arrays of rows; writing them into one is not in its time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tables import MASKKIT, SIZES, growth_line, photo_table
from timing import Cost, machine, medians, report, run_command

from maskkit.labels import HOME
from maskkit.splitting.folds import class_counts, stratified_group_folds
from maskkit.splitting.strata import numbered

Photos = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]  # person, class, age, each (photos,)

FOLDS = 5
MASKS = np.array([0, 0, 0, 0, 0, 1, 2])  # of a person's seven photos
MISSING = (0.0, 0.05)
HERE = Path(__file__).parent


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--most", type=int, default=SIZES[3], help="rows of the largest table")
    words.add_argument("--most-peer", type=int, default=SIZES[2], help="rows of scikit-learn's largest table")
    words.add_argument("--runs", type=int, default=5, help="of each size; at 1.89 million rows 3 at most")
    words.add_argument("--save", type=Path, help="JSON lines to append the figures to")
    words.add_argument("--only", choices=["peer", "alone", "command"])
    words.add_argument("--measure", nargs=2, metavar=("ROWS", "MISSING"), help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.measure:
        print(*alone(int(given.measure[0]), float(given.measure[1])))
        return
    sizes = [rows for rows in SIZES if rows <= given.most]
    peer = [rows for rows in sizes if rows <= given.most_peer]
    if given.only in (None, "peer"):
        lines = [peer_line(rows, missing, runs=given.runs) for rows in peer for missing in MISSING]
        report(f"folds, CPU seconds beside scikit-learn {machine()['scikit-learn']}", lines, save=given.save)
    if given.only in (None, "alone"):
        lines = [alone_line(rows, missing) for rows in sizes for missing in MISSING]
        report("folds alone, a process of its own", lines, save=given.save)
    if given.only in (None, "command"):
        report("maskkit split", [command_line(rows) for rows in sizes], save=given.save)


def photos(rows: int, missing: float) -> Photos:
    """Draw people of the competition's shares of gender and age, seven photos each, a share missing."""
    random = np.random.default_rng(0)
    people = rows // len(MASKS)
    gender = (random.random(people) < 0.614).astype(np.int64)
    young, old = random.random(people) < 0.51, random.random(people) < 0.071
    age = np.where(young, random.integers(18, 30, people), random.integers(30, 60, people))
    age[old] = 60
    person = np.repeat(np.arange(people), len(MASKS))
    level = np.digitize(age, [30, 60])
    label = np.ravel_multi_index((np.tile(MASKS, people), gender[person], level[person]), HOME.shape)
    is_there = random.random(len(person)) >= missing
    return person[is_there], label[is_there], age[person[is_there]]


def ours(person: NDArray[np.int64], label: NDArray[np.int64], *, seed: int) -> NDArray[np.integer]:
    """Return each photo's fold, (photos,), from nothing but its person and class."""
    group = numbered(person)
    counts = class_counts(group, label, groups=int(group.max()) + 1, classes=len(HOME))
    return stratified_group_folds(counts, folds=FOLDS, seed=seed)[group]


def with_age(photos: Photos, *, seed: int) -> NDArray[np.integer]:
    """Return each photo's fold, balanced by years of age besides, as the command does."""
    person, label, age = photos
    group = numbered(person)
    counts = class_counts(group, label, groups=int(group.max()) + 1, classes=len(HOME))
    stratum = np.zeros(len(counts), np.int64)
    stratum[group] = age
    return stratified_group_folds(counts, stratum=stratum, folds=FOLDS, seed=seed)[group]


def by_sklearn(
    person: NDArray[np.int64], label: NDArray[np.int64], *, seed: int
) -> list[NDArray[np.integer]]:
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return [held_out for _, held_out in splitter.split(label, label, person)]


def peer_line(rows: int, missing: float, *, runs: int) -> dict[str, object]:
    """Time both in turns on the same photos, run after run with another seed, and compare the worst class."""
    person, label, age = photos(rows, missing)
    runs = runs if rows < SIZES[2] else min(runs, 3)
    costs: dict[str, list[Cost]] = {"ours": [], "age": [], "theirs": []}
    worst: dict[str, list[float]] = {"ours": [], "age": [], "theirs": []}
    for seed in range(runs):
        fold, cost = timed(lambda seed=seed: ours(person, label, seed=seed))
        costs["ours"].append(cost)
        worst["ours"].append(deviation(label, fold))
        fold, cost = timed(lambda seed=seed: with_age((person, label, age), seed=seed))
        costs["age"].append(cost)
        worst["age"].append(deviation(label, fold))
        parts, cost = timed(lambda seed=seed: by_sklearn(person, label, seed=seed))
        costs["theirs"].append(cost)
        fold = np.empty(len(label), np.int64)
        for number, part in enumerate(parts):
            fold[part] = number
        worst["theirs"].append(deviation(label, fold))
    cpu = {name: cost.cpu_seconds for name, cost in medians(costs).items()}
    line: dict[str, object] = {
        "rows": rows,
        "missing": f"{missing:.0%}",
        "maskkit s": cpu["ours"],
        "scikit-learn s": cpu["theirs"],
        "ratio": cpu["theirs"] / cpu["ours"],
        "with age s": cpu["age"],
        "its ratio": cpu["theirs"] / cpu["age"],
        "worst class": f"{max(worst['ours']):.4%}",
        "with age": f"{max(worst['age']):.4%}",
        "scikit-learn": f"{max(worst['theirs']):.4%}",
        "never above": all(a <= b + 1e-12 for a, b in zip(worst["ours"], worst["theirs"], strict=True))
        and all(a <= b + 1e-12 for a, b in zip(worst["age"], worst["theirs"], strict=True)),
        "runs": runs,
    }
    print(line, file=sys.stderr, flush=True)
    return line


def timed(work: Callable[[], NDArray[np.integer]]) -> tuple[NDArray[np.integer], Cost]:
    clock, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Cost(time.perf_counter() - clock, time.process_time() - cpu)


def deviation(label: NDArray[np.int64], fold: NDArray[np.integer]) -> float:
    """Return the largest relative deviation of a class in a fold from the mean fold."""
    images = np.bincount(label * FOLDS + fold, minlength=len(HOME) * FOLDS).reshape(-1, FOLDS)
    return float(np.abs(images / images.mean(axis=1, keepdims=True) - 1).max())


def alone(rows: int, missing: float) -> tuple[float, float, float, float, float]:
    """Return seconds and CPU seconds without and with age, and peak MB of the process, photos included."""
    person, label, age = photos(rows, missing)
    _, plain = timed(lambda: ours(person, label, seed=0))
    _, finer = timed(lambda: with_age((person, label, age), seed=0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return plain.seconds, plain.cpu_seconds, finer.seconds, finer.cpu_seconds, peak


def alone_line(rows: int, missing: float) -> dict[str, object]:
    words = [sys.executable, __file__, "--measure", str(rows), str(missing)]
    figures = [float(word) for word in subprocess.check_output(words, text=True).split()]
    names = ("seconds", "CPU s", "with age: seconds", "with age: CPU s", "peak MB")
    return {"rows": rows, "missing": f"{missing:.0%}", **dict(zip(names, figures, strict=True))}


def command_line(rows: int) -> dict[str, object]:
    """Run `maskkit split` once on a manifest of so many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = folder / "labels.parquet"
        run_command([*MASKKIT, "label", photo_table(folder, rows), "--no-check", "-o", labels])
        cost = run_command([*MASKKIT, "split", labels, "-o", folder / "folds.parquet"])
    line = growth_line("split", rows, cost)
    print(line, file=sys.stderr, flush=True)
    return line


if __name__ == "__main__":
    main()
