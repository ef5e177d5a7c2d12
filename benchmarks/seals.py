"""What checking the checksum of an artifact costs beside reading it.

    python benchmarks/seals.py

Files are drawn in a temporary folder and are in the page cache when they are read.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import torch
from timing import in_turns, report

from maskkit.artifacts import seal
from maskkit.artifacts.checkpoint import Checkpoint, CheckpointFacts, Preprocess, write_checkpoint
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.labels import HOME

MEGABYTES = (20, 200)
ROWS = 1_000_000
FACTS = CheckpointFacts(
    model="resnet18", preprocess=Preprocess(128, 96, (0.5,) * 3, (0.25,) * 3, "bicubic"), precision="float32",
    fold=0, epoch=1, scores={"macro_f1": 0.5}, seen=Seen.of(["a"], salt="s"),
)  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--runs", type=int, default=7)
    words.add_argument("--save", type=Path, help="JSON lines to append the figures to")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        lines = [_line(what, read, given.runs) for what, read in _reads(Path(name)).items()]
    report("reading artifacts, CPU seconds", lines, save=given.save)


def _reads(folder: Path) -> dict[str, Callable[[], object]]:
    random = np.random.default_rng(0)
    found: dict[str, Callable[[], object]] = {}
    for megabytes in MEGABYTES:
        path = folder / f"{megabytes}.safetensors"
        weights = {"a": torch.from_numpy(random.standard_normal(megabytes * 250_000).astype(np.float32))}
        header = Header("checkpoint", HOME, (Record("train", {"seed": 0}),), FACTS.to_json())
        write_checkpoint(path, weights, header)
        found[f"checkpoint of {megabytes} MB"] = lambda path=path: Checkpoint.read(path).weights()
    probs = random.dirichlet(np.ones(len(HOME)), ROWS).astype(np.float32)
    names = pa.array([f"{row:08d}/mask1.jpg" for row in range(ROWS)])
    header = Header("predictions", HOME)
    table = Predictions(names, probs.argmax(1), probs, tuple(HOME.names), header=header)
    path = folder / "table.parquet"
    path.write_bytes(table.encode("parquet"))
    size = path.stat().st_size // 10**6
    found[f"predictions of {ROWS:,} rows, {size} MB"] = lambda: Predictions.read(path)
    return found


def _line(what: str, read: Callable[[], object], runs: int) -> dict[str, object]:
    def unchecked() -> None:
        with patch.object(seal, "_refuse"):
            read()

    costs = in_turns({"checked": read, "unchecked": unchecked}, runs=runs)
    cpu = {name: min(one.cpu_seconds for one in found) for name, found in costs.items()}
    return {
        "file": what,
        **{f"{name} s": round(seconds, 4) for name, seconds in cpu.items()},
        "check ms": round(1000 * (cpu["checked"] - cpu["unchecked"]), 1),
    }


if __name__ == "__main__":
    main()
