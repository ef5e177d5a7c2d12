"""Print what became of `examples/decisions.mk`: every way from models to answers beside the plain model.

    make -f examples/decisions.mk TRAIN=photos/train/train.csv TEST=photos/eval/info.csv RUN=run/decisions
    python benchmarks/decisions.py run/decisions

Scores are out-of-fold. Each difference is from the first row, over the same people drawn for both, and bold
if its interval leaves out 0. Of fitted and tuned answers those are scored that were fitted without the
photo's person.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROWS: dict[str, str] = {  # name: predictions, or a decision, in the folder
    "lite0, 128x96": "lite0/none.parquet",
    "lite1, 112x80, factors and age regression": "lite1/none.parquet",
    "lite2, 96x72, medium augmentation": "lite2/none.parquet",
    "lite0 with `--tta hflip`": "lite0/hflip.parquet",
    "lite1 with it": "lite1/hflip.parquet",
    "lite2 with it": "lite2/hflip.parquet",
    "lite0 with `--tta hflip,scale:0.9,scale:1.1`": "lite0/views.parquet",
    "`--vote soft` of all three, hflip": "votes/soft.parquet",
    "`--vote geometric`": "votes/geometric.parquet",
    "`--vote logit`": "votes/logit.parquet",
    "`--vote hard`": "votes/hard.parquet",
    "`--vote rank`": "votes/rank.parquet",
    "`--fit`, greedy": "votes/greedy.parquet",
    "`--fit --search weights`": "votes/weights.parquet",
    "`--vote stacking --fit`": "votes/stacking.parquet",
    "lite0, hflip, `--consensus person`": "lite0/consensus.parquet",
    "soft vote, `--consensus person`": "votes/consensus.parquet",
    "lite0 with pseudo labels": "pseudo/none.parquet",
    "the same, hflip": "pseudo/hflip.parquet",
    "lite0 with UDA": "uda/none.parquet",
    "the same with hflip": "uda/hflip.parquet",
    "soft vote of all five, hflip": "votes/all.parquet",
    "`--fit` of all five, greedy": "votes/all-greedy.parquet",
    "soft vote of all five, `--consensus person`": "votes/all-consensus.parquet",
}
TUNED: dict[str, str] = {
    "lite0, hflip": "lite0/{}.json",
    "soft vote": "votes/{}.json",
}
METHODS = ("classes", "factors", "age")


def row(run: Path, name: str) -> str:
    """Score one way, and compare it with the first."""
    first, way = run / next(iter(ROWS.values())), run / ROWS[name]
    words = [run / "folds.parquet", way, "--worst", 0, "--json", "--quiet"]
    against = [] if way == first else ["--against", first]
    found = json.loads(_maskkit("evaluate", *words, *against))
    age = next(factor for factor in found["factors"] if factor["name"] == "age")["accuracy"]["value"]
    difference = _difference(found["against"]["versus"]["difference"]["macro_f1"]) if against else ""
    return f"| {name} | {_interval(found['macro_f1'])} | {difference} | {age:.3f} |"


def tuned(run: Path, name: str, method: str) -> str:
    """Tell what a decision brought on people it was not tuned on."""
    measured = json.loads((run / TUNED[name].format(method)).read_text())["measured"]
    change = next(item for item in measured["changes"] if item["measure"] == "macro_f1")
    return (
        f"| {name}, `--tune {method}` | {change['plain']:.3f} | {change['in_sample'] - change['plain']:+.3f} "
        f"| {_difference(change['gain'])} |"
    )


def _interval(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _difference(estimate: dict[str, Any]) -> str:
    mark = "**" if estimate["low"] > 0 or estimate["high"] < 0 else ""
    return f"{mark}{estimate['value']:+.3f}{mark} ({estimate['low']:+.3f} to {estimate['high']:+.3f})"


def _maskkit(*words: object) -> str:
    command = [sys.executable, "-m", "maskkit", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    print("| way | macro-F1 | difference from the first, 95 % interval | age, accuracy |")
    print("|---|---|---|---|")
    for name, path in ROWS.items():
        if (given.run / path).exists():
            print(row(given.run, name))
    print("\n| decision | plain | gain on its own people | gain on other people, 95 % interval |")
    print("|---|---|---|---|")
    for name, path in TUNED.items():
        for method in METHODS:
            if (given.run / path.format(method)).exists():
                print(tuned(given.run, name, method))


if __name__ == "__main__":
    main()
