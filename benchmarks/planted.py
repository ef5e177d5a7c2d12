"""Copy a training set in the competition's layout with known faults, to measure what `maskkit audit` finds.

    python benchmarks/planted.py photos/train planted
    python benchmarks/planted.py --score planted planted/findings.json

Planted, among different people: 2 % with the wrong gender, 2 % with the age moved by 25 years, 20 with two
photos exchanged so that both mask states are wrong, 30 of whom one photo shows somebody else. `truth.csv`
says what each photo shows (label it to score models on clean truth), `faults.csv` what was done to whom.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np

STATES = {**{f"mask{n}": "wear" for n in range(1, 6)}, "incorrect_mask": "incorrect", "normal": "none"}
MOVED_YEARS = 25
EXCHANGED, COPIED = 20, 30
EXCHANGES = (("incorrect_mask", "normal"), ("mask1", "normal"), ("mask2", "incorrect_mask"))
COPIES = ("bytes", "quality 75", "smaller and brighter")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="with train.csv and images/; to score, the planted one")
    parser.add_argument("target", type=Path, help="to make; to score, the JSON of `maskkit audit`")
    parser.add_argument("--score", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.score:
        score(given.source, json.loads(given.target.read_text()))
    else:
        plant(given.source, given.target, seed=given.seed)


def plant(source: Path, target: Path, *, seed: int) -> None:
    people = read(source / "train.csv")
    shutil.copytree(source / "images", target / "images")
    random = np.random.default_rng(seed)
    order = iter(random.permutation(len(people)).tolist())
    share = round(0.02 * len(people))
    truth = {
        file.relative_to(target / "images").as_posix(): {
            "person_id": person["id"],
            "mask": STATES[file.stem],
            "gender": person["gender"],
            "age": person["age"],
        }
        for person in people
        for file in sorted((target / "images" / person["path"]).iterdir())
        if file.stem in STATES
    }
    faults = []
    for _ in range(share):
        person = people[next(order)]
        told = "female" if person["gender"] == "male" else "male"
        faults.append({"kind": "gender", "person_id": person["id"], "was": person["gender"], "told": told})
        person["gender"] = told
    for _ in range(share):
        person = people[next(order)]
        age = int(person["age"])
        told = age + MOVED_YEARS if age < 45 else age - MOVED_YEARS
        faults.append({"kind": "age", "person_id": person["id"], "was": age, "told": told})
        person["age"] = str(told)
    for index in range(EXCHANGED):
        person = people[next(order)]
        first, second = [
            (("incorrect_mask", "normal"), ("mask1", "normal"), ("mask2", "incorrect_mask"))[index % 3]
        ][0]
        one, two = (file_of(target, person, state) for state in (first, second))
        kept = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(kept)
        names = [file.relative_to(target / "images").as_posix() for file in (one, two)]
        truth[names[0]]["mask"], truth[names[1]]["mask"] = STATES[second], STATES[first]
        faults += [{"kind": "mask", "person_id": person["id"], "path": name} for name in names]
    for index in range(COPIED):
        person, other = people[next(order)], people[next(order)]
        state = list(STATES)[index % len(STATES)]
        place, shown = file_of(target, person, state), file_of(target, other, state)
        place.write_bytes(copied(shown, COPIES[index % len(COPIES)]))
        path = place.relative_to(target / "images").as_posix()
        original = shown.relative_to(target / "images").as_posix()
        truth[path] |= {"gender": other["gender"], "age": other["age"]}
        faults.append({"kind": "copy", "person_id": person["id"], "path": path, "was": original,
                       "told": COPIES[index % len(COPIES)]})  # fmt: skip
    write(target / "train.csv", people)
    write(target / "truth.csv", [{"path": path, **row} for path, row in truth.items()])
    write(target / "faults.csv", [{"path": "", "was": "", "told": "", **fault} for fault in faults])
    print(Counter(fault["kind"] for fault in faults))


def copied(file: Path, how: str) -> bytes:
    if how == "bytes":
        return file.read_bytes()
    pixels = cv2.imread(str(file))
    if how == "smaller and brighter":
        pixels = cv2.convertScaleAbs(
            cv2.resize(pixels, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), alpha=1.1
        )
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()


def file_of(target: Path, person: dict[str, str], state: str) -> Path:
    return next((target / "images" / person["path"]).glob(f"{state}.*"))


def score(planted: Path, report: dict[str, Any]) -> None:
    """Print how many of the planted faults were found, and how many findings are none."""
    faults = read(planted / "faults.csv")
    crossing = {
        one["person_id"] for one in faults if one["kind"] == "age" and band(one["was"]) != band(one["told"])
    }
    findings = report["findings"]
    print("| fault | planted | findings | found | precision | recall |\n|---|---|---|---|---|---|")
    for kind in ("gender", "age"):
        wanted = {one["person_id"] for one in faults if one["kind"] == kind}
        said = [
            one["person_id"] for one in findings if one["kind"] == "suspect:person" and one["column"] == kind
        ]
        row(kind, wanted, said)
        if kind == "age":
            row("age, to another band", wanted & crossing, said)
    wanted = {one["path"] for one in faults if one["kind"] == "mask"}
    row("mask", wanted, [one["path"] for one in findings if one["column"] == "mask"])
    pairs = {frozenset((one["path"], one["was"])) for one in faults if one["kind"] == "copy"}
    between = {"leak:folds", "leak:people", "duplicate:people"}
    row("copy", pairs, [frozenset((one["path"], one["other"])) for one in findings if one["kind"] in between])


def row(kind: str, wanted: set[Any], said: list[Any]) -> None:
    found = wanted & set(said)
    precision = f"{len([one for one in said if one in wanted]) / len(said):.2f}" if said else "-"
    recall = f"{len(found) / len(wanted):.2f}"
    print(f"| {kind} | {len(wanted)} | {len(said)} | {len(found)} | {precision} | {recall} |")


def band(age: str) -> int:
    return (int(age) >= 30) + (int(age) >= 60)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
