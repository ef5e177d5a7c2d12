"""Runs stages by their commands, in this process's environment, each in a fork of one that has loaded all.

    python -m determinism.commands WORKERS sample|all listed|backwards     # where photos/ and classes/ are

What each prints is kept beside what it writes. `backwards` gives the entries of folders in another order.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from typing import Any

import forked

MODEL = (
    "--model test_efficientnet --weights none --size 32 --epochs 2 --batch-size 20 --learning-rate 0.003 "
    "--device cpu"
)
TRAIN = f"train folds.parquet {MODEL} --workers {{workers}}"
OOF = "predict folds.parquet --oof --workers {workers} --device cpu"
ALL = " ".join(f"run/fold{fold}.safetensors" for fold in range(3))
FIT = "--fit oof.parquet openvino.csv --on folds.parquet"

# By name; `{workers}` stands for their number, which no artifact may depend on.
SAMPLE = {
    "labels": "label photos/train.csv -o labels.parquet",
    "classes": "label classes -o classes.parquet",
    "folds": "split labels.parquet --folds 3 -o folds.parquet --json",
    "train0": f"{TRAIN} --fold 0 -o run/fold0.safetensors",
    "predicted": f"{OOF} run/fold0.safetensors -o predicted.parquet --runtime torch --tta hflip",
    "voted": "ensemble predicted.parquet --vote hard -o voted.parquet",
}
COMMANDS = {
    **SAMPLE,
    "eda": "eda folds.parquet --json --html eda.html",
    "survey1": "eda folds.parquet --half --shard 1/2 -o survey/1.parquet",
    "survey2": "eda folds.parquet --half --shard 2/2 -o survey/2.parquet",
    "two-sets": "eda photos/train.csv classes.parquet --json",
    "train1": f"{TRAIN} --fold 1 -o run/fold1.safetensors --augment medium --precision bfloat16",
    "train2": f"{TRAIN} --fold 2 -o run/fold2.safetensors --freeze all",
    "again0": f"{TRAIN} --fold 0 --seed 1 -o run/again0.safetensors",
    "soup": "soup run/fold0.safetensors run/again0.safetensors --uniform --on folds.parquet "
    "--workers {workers} --device cpu -o run/soup.safetensors",
    "chosen": "soup run/fold0.safetensors run/again0.safetensors --on folds.parquet "
    "--workers {workers} --device cpu -o run/chosen.safetensors",
    "oof": f"{OOF} {ALL} -o oof.parquet --runtime torch",
    "part1": f"{OOF} {ALL} --shard 1/2 -o parts/1.parquet --runtime torch",
    "part2": f"{OOF} {ALL} --shard 2/2 -o parts/2.parquet --runtime torch",
    "joined": "join parts -o joined.parquet",
    "openvino": f"{OOF} {ALL} -o openvino.csv",
    "stacked": f"ensemble --vote stacking {FIT} -o stacked.parquet --report stacked.json",
    "found": f"ensemble --vote soft --search greedy {FIT} -o found.parquet --report found.json",
    "scores": "evaluate folds.parquet oof.parquet --by gender,mask --json --html scores.html",
    "tuned": "evaluate folds.parquet oof.parquet --tune classes --json --decision tuned.json",
    "audited": "audit folds.parquet oof.parquet --sureness 0 --json -o audited.parquet "
    "--corrections fixes.csv",
    "reviewed": "review folds.parquet fixes.csv --html review.html --label-studio tasks.json",
    "everybody": "train folds.parquet --fold none --like run/fold0.safetensors --workers {workers} "
    "-o run/all.safetensors",
    "exported": "export run/fold0.safetensors -o fold0.onnx",
}
ANSWERED_NO = {"audited": 3}  # it finds what is wrong, and says so by its exit code


def main(workers: str, which: str, order: str) -> int:
    """Run them; return how many failed."""
    forked.load()
    if order == "backwards":
        os.listdir = _backwards(os.listdir)
        os.scandir = _backwards(os.scandir)
    failed = 0
    for name, words in (SAMPLE if which == "sample" else COMMANDS).items():
        status = _forked(name, words.format(workers=workers).split())
        if status not in (0, ANSWERED_NO.get(name)):
            print(f"{name} ended with {status}", file=sys.stderr)  # noqa: T201
            failed += 1
    return failed


def _forked(name: str, words: list[str]) -> int:
    child = os.fork()
    if not child:
        os.dup2(os.open(f"{name}.printed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), 1)
        sys.argv = ["maskkit", *words]
        status = 1
        try:
            runpy.run_module("maskkit", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class _Entries(list[Any]):
    """A list that closes as what `os.scandir` returns does."""

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _backwards(listed: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *place: _Entries(
        sorted(listed(*place), key=lambda one: getattr(one, "name", one), reverse=True)
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
