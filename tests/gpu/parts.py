"""What a part of the run on a GPU is given, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from maskkit.options.train_options import Device, TrainOptions


@dataclass(frozen=True)
class Line:
    """A line of the report."""

    what: str
    seen: str
    holds: bool | None = None  # whether what is asked for does; None for a figure of which nothing is asked

    @property
    def text(self) -> str:
        """The line for a terminal."""
        mark = {True: "ok  ", False: "NOT ", None: "    "}[self.holds]
        return f"{mark} {self.what}: {self.seen}"

    def written(self) -> str:
        """Return it as JSON, on one line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Line:
        """Return what `written` has written."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Given:
    """Where to compute, on what, and how much of it."""

    folder: Path  # with photos, folds.parquet, and room for what is made
    device: Device
    quick: bool  # a rehearsal of the script itself, on any machine: its figures mean nothing

    @property
    def folds(self) -> Path:
        """A manifest of drawn photos in three folds."""
        return self.folder / "folds.parquet"

    @property
    def options(self) -> TrainOptions:
        """Options of a training that takes seconds here."""
        full = TrainOptions(
            model="resnet18", weights="none", size="96", epochs=3, batch_size=32, learning_rate=1e-3,
            device=self.device, precision="float32", workers=4,
        )  # fmt: skip
        return replace(full, model="test_resnet", size="32", epochs=2, workers=0) if self.quick else full

    def runs(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of maskkit in the folder."""
        typed = [sys.executable, "-m", "maskkit", *words]
        return subprocess.run(typed, cwd=self.folder, check=check, capture_output=True, text=True)

    def training(self, output: str, *more: str) -> Sequence[str]:
        """Return the words that train as `options` says."""
        one = self.options
        return [
            "train", self.folds.name, "--fold", "0", "-o", output, "--model", one.model, "--size", one.size,
            "--weights", "none", "--epochs", str(one.epochs), "--batch-size", str(one.batch_size),
            "--learning-rate", str(one.learning_rate), "--device", self.device, "--precision", one.precision,
            "--workers", str(one.workers), *more,
        ]  # fmt: skip
