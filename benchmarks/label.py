"""Listing: `label --no-check` of the competition's layout beside a bare scan of the same folders.

    python benchmarks/label.py --people 270000 --runs 3     # 1.89 million files, which are empty

The files are made in a temporary folder and removed at the end, or kept in `--tree FOLDER` for other runs.
Nothing empties the system's cache of folders, so the scan is a warm one, against which other work shows most.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from timing import Cost, commands_in_turns, medians, report

from maskkit.sources.layouts import STATES

SCAN = """
import csv, os, sys
table, root = sys.argv[1:]
found = 0
with open(table) as file:
    for row in csv.DictReader(file):
        found += {look}
print(found)
"""
LISTDIR = SCAN.format(look="len(os.listdir(root + '/' + row['path']))")
SCANDIR = SCAN.format(look="sum(1 for entry in os.scandir(root + '/' + row['path']) if entry.name)")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--people", type=int, default=270_000, help="of seven photos each")
    words.add_argument("--runs", type=int, default=3, help="of each variant")
    words.add_argument("--tree", type=Path, help="where the files are, or are made and left")
    words.add_argument("--save", type=Path, help="JSON lines to append the figures to")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.tree or Path(name)
        if not (folder / "train.csv").exists():
            make_tree(folder, given.people)
        costs = medians(commands_in_turns(variants(folder, Path(name) / "made.parquet"), runs=given.runs))
    report(
        f"{given.people * len(STATES):,} files, medians of {given.runs} runs", lines(costs), save=given.save
    )


def variants(folder: Path, made: Path) -> dict[str, list[str]]:
    """Return the commands to compare, each a process of its own."""
    table, root = str(folder / "train.csv"), str(folder / "images")
    label = [
        sys.executable,
        "-m",
        "maskkit",
        "label",
        table,
        "--no-check",
        "-o",
        str(made),
        "--force",
        "--quiet",
    ]
    return {
        "os.listdir of each folder": [sys.executable, "-c", LISTDIR, table, root],
        "os.scandir of each folder": [sys.executable, "-c", SCANDIR, table, root],
        "label --no-check": label,
        "with cuts, ages ignored": [*label, "--train-cuts", "age=30,58", "--ignore", "age=57-59"],
    }


def make_tree(folder: Path, people: int) -> None:
    """Make the layout with empty files, and its train.csv last, which says that it is whole."""
    chance = random.Random(0)
    rows = []
    for number in range(people):
        gender, age = chance.choice(("male", "female")), chance.choice((19, 25, 33, 47, 58, 60))
        rows.append((f"{number:06d}", gender, "Asian", age, f"{number:06d}_{gender}_Asian_{age}"))
        place = folder / "images" / rows[-1][-1]
        place.mkdir(parents=True)
        for state in STATES:
            (place / f"{state}.jpg").touch()
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "gender", "race", "age", "path"), *rows])


def lines(costs: Mapping[str, Cost]) -> list[dict[str, object]]:
    bare = costs["os.listdir of each folder"]
    return [
        {
            "": name,
            "seconds": cost.seconds,
            "CPU s": cost.cpu_seconds,
            "x listdir": cost.seconds / bare.seconds,
            "CPU, x listdir": cost.cpu_seconds / bare.cpu_seconds,
            "peak MB": cost.peak_mb,
        }
        for name, cost in costs.items()
    ]


if __name__ == "__main__":
    main()
