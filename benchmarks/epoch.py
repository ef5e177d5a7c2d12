"""A whole epoch from JPEG files: loading, augmentation, training, and scoring of the held-out fold.

    python benchmarks/epoch.py folds.parquet --model tf_efficientnet_lite0 --size 128x96

The peer is what public solutions do: a plain float32 loop fed by the baseline's dataset through a
DataLoader with two workers (benchmarks/baseline.py). Each side runs as processes of its own, in turns.
With --head, five folds of a frozen head against that plain epoch five times; give --weights, for without
them each seed is another backbone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from timing import report, run_command


def their_epochs(manifest_path: str, model: str, size: tuple[int, int], epochs: int) -> list[float]:
    from baseline import Loop, loader

    from maskkit.artifacts.manifest import Manifest
    from maskkit.imaging.roots import photo_files

    manifest = Manifest.read(manifest_path)
    files, labels, folds = photo_files(manifest), manifest.labels.tolist(), manifest.folds
    sides = {
        train: [row for row in range(len(manifest)) if (folds[row] != 0) == train] for train in (True, False)
    }
    batches = {
        train: loader([files[row] for row in rows], [labels[row] for row in rows], size=size, train=train)
        for train, rows in sides.items()
    }
    loop, seconds = Loop(model), []
    for _ in range(epochs):
        start = time.perf_counter()
        loop.train(batches[True])
        loop.score(batches[False])
        seconds.append(time.perf_counter() - start)
    return seconds


def our_epochs(manifest: str, model: str, size: str, epochs: int, cache: Path) -> list[float]:
    """Return seconds per epoch, the first with everything from the start of the command."""
    from maskkit.cli.shell import startup

    startup.prepare_for_torch()
    start = time.perf_counter()
    from maskkit.artifacts.manifest import Manifest
    from maskkit.cache.records import Cache
    from maskkit.options.train_options import TrainOptions
    from maskkit.stages.train import train
    from maskkit.training.fold_rows import FoldRows

    ends = [start]
    with tempfile.TemporaryDirectory() as folder:
        given = Manifest.read(manifest).located(cache=Cache(cache, 50 * 10**9))
        train(
            FoldRows.of(given, 0), Path(folder) / "fold0.safetensors",
            options=TrainOptions(model=model, weights="none", size=size, epochs=epochs),
            on_epoch=lambda _: ends.append(time.perf_counter()),
        )  # fmt: skip
    return [end - before for before, end in pairwise(ends)]


def in_a_process(side: str, given: argparse.Namespace, cache: Path) -> list[float]:
    words = [sys.executable, __file__, given.manifest, "--model", given.model, "--size", given.size,
             "--epochs", str(given.epochs), "--side", side, "--cache", str(cache)]  # fmt: skip
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def compare_epochs(given: argparse.Namespace) -> None:
    theirs, later, first = [], [], []
    for _ in range(given.runs):
        with tempfile.TemporaryDirectory() as folder:
            theirs += in_a_process("theirs", given, Path(folder))[1:]
            ours = in_a_process("ours", given, Path(folder))
            first.append(ours[0])
            later += ours[1:]
    base = statistics.median(theirs)
    rows = {"plain loop, baseline dataset": theirs, "maskkit": later,
            "maskkit, first epoch: imports, model, decoding": first}  # fmt: skip
    lines = [
        {"": name, "seconds": statistics.median(each), "ratio": base / statistics.median(each)}
        for name, each in rows.items()
    ]
    report(f"A whole epoch and its scoring, {given.model} at {given.size}", lines)


def compare_heads(given: argparse.Namespace) -> None:
    """Five folds of a frozen head against a plain epoch of each of five folds."""
    with tempfile.TemporaryDirectory() as folder:
        plain = statistics.median(in_a_process("theirs", given, Path(folder))[1:])
        words = [sys.executable, "-m", "maskkit", "train", given.manifest, "--fold", "all", "--freeze", "all",
                 "--model", given.model, "--size", given.size, "-o", f"{folder}/fold{{fold}}.safetensors",
                 "--force", "--cache", folder, "--quiet", "--weights", given.weights]  # fmt: skip
        cold = run_command(words)
        warm = [run_command([*words, "--seed", str(seed)]) for seed in range(1, given.runs + 1)]
    again = statistics.median(cost.seconds for cost in warm)
    lines = [
        {"": "plain loop: an epoch of each of 5 folds (5 x one)", "seconds": 5 * plain, "ratio": 1.0},
        {"": "maskkit train --fold all --freeze, empty cache", "seconds": cold.seconds,
         "ratio": 5 * plain / cold.seconds},
        {"": "the same, another head", "seconds": again, "ratio": 5 * plain / again},
    ]  # fmt: skip
    report(f"5 folds of a head on a frozen {given.model} at {given.size}, whole commands", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest")
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--size", default="128x96")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--head", action="store_true")
    parser.add_argument("--weights", default="none", help="of the frozen backbone")
    parser.add_argument("--side", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    from maskkit.options.values import parse_size

    if given.side == "theirs":
        print(json.dumps(their_epochs(given.manifest, given.model, parse_size(given.size), given.epochs)))
    elif given.side == "ours":
        print(json.dumps(our_epochs(given.manifest, given.model, given.size, given.epochs, given.cache)))
    elif given.head:
        compare_heads(given)
    else:
        compare_epochs(given)


if __name__ == "__main__":
    main()
