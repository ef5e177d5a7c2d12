"""One of every file that maskkit leaves and reads again, and a command that reads each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from conftest import draw_people, some_people
from typer.testing import CliRunner

from maskkit.cli import app
from maskkit.stages import predict

CACHE = "MASKKIT_CACHE"
MODEL = "--model test_efficientnet --size 32 --workers 0 --device cpu --batch-size 40 --precision float32"
LEARNT = f"train folds.parquet {MODEL}"
TRAIN = f"{LEARNT} --weights none --epochs 2"
PREDICT = "predict folds.parquet run/fold0.safetensors run/fold1.safetensors --oof --workers 0 --device cpu"
OTHER_PREDICT = f"{PREDICT} --batch-size 16"
MADE = (
    "label {photos}/train.csv -o labels.parquet",
    "split labels.parquet --folds 2 -o folds.parquet",
    f"{TRAIN} --fold all -o run/fold{{fold}}.safetensors",
    f"{PREDICT} -o oof.parquet",
    f"{PREDICT} --tta hflip -o again.parquet",
    "evaluate folds.parquet oof.parquet --tune temperature --decision decision.json",
    "export run/fold0.safetensors -o model.onnx",
    f"{PREDICT} --shard 1/2 -o part1.parquet",
    f"{PREDICT} --shard 2/2 -o part2.parquet",
    "eda folds.parquet --half -o survey.parquet",
    f"{TRAIN} --fold 0 --seed 1 -o begun/fold0.safetensors",
    f"{OTHER_PREDICT} -o begun/oof.parquet",
)
KEPT = 40  # photos after which a prediction keeps what is finished


@dataclass(frozen=True)
class Case:
    """A file that a byte is changed in, and a command that reads it."""

    file: str  # a pattern
    words: str
    output: str | None = None  # what it writes beside standard output

    @property
    def name(self) -> str:
        """The file and the command, as a table names them."""
        return f"{self.file}: {self.words.split()[0]}"


CASES = (
    Case("labels.parquet", "split labels.parquet --folds 2 -o new.parquet", "new.parquet"),
    Case("labels.parquet", "show labels.parquet --json"),
    Case("labels.parquet", "label labels.parquet --root {photos}/images -o new.parquet", "new.parquet"),
    Case("folds.parquet", f"{PREDICT} -o new.parquet", "new.parquet"),
    Case("folds.parquet", "eda folds.parquet --counts-only --json"),
    Case("folds.parquet", "review folds.parquet fixes.csv --html new.html", "new.html"),
    Case("survey.parquet", "audit folds.parquet --survey survey.parquet --json"),
    Case("part2.parquet", "join part1.parquet part2.parquet -o new.parquet", "new.parquet"),
    Case("run/fold0.safetensors", f"{PREDICT} -o new.parquet", "new.parquet"),
    Case("run/fold0.safetensors", "show run/fold0.safetensors --history"),
    Case("run/fold0.safetensors", "export run/fold0.safetensors -o new.onnx", "new.onnx"),
    Case(
        "run/fold0.safetensors",
        f"{LEARNT} --epochs 1 --fold 0 --weights run/fold0.safetensors -o new.safetensors", "new.safetensors",
    ),
    Case(
        "run/fold0.safetensors",
        "soup run/fold0.safetensors run/fold1.safetensors --uniform -o new.safetensors", "new.safetensors",
    ),
    Case("oof.parquet", "ensemble oof.parquet again.parquet -o new.parquet", "new.parquet"),
    Case("oof.parquet", "evaluate folds.parquet oof.parquet --json"),
    Case("decision.json", f"{PREDICT} --decide decision.json -o new.parquet", "new.parquet"),
    Case("decision.json", "show decision.json --json"),
    Case("model.onnx", "show model.onnx --json"),
    Case(
        "begun/fold0.resume", f"{TRAIN} --fold 0 --seed 1 -o begun/fold0.safetensors --resume",
        "begun/fold0.safetensors",
    ),
    Case("begun/oof.parquet.resume", f"{OTHER_PREDICT} -o begun/oof.parquet --resume", "begun/oof.parquet"),
)  # fmt: skip
OF_CACHE = (
    Case("cache/**/*", f"{PREDICT} -o new.parquet", "new.parquet"),
    Case("cache/**/*", f"{TRAIN} --fold 0 -o new.safetensors", "new.safetensors"),
    Case("cache/**/*", "audit folds.parquet --json"),
)


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    exit_code: int
    stdout: bytes
    stderr: str
    output: bytes | None
    failed: BaseException | None = None  # by an exception that no one has caught

    def is_same(self, other: Outcome) -> bool:
        """Whether the results are equal; what a command says to people may differ."""
        return (self.exit_code, self.stdout, self.output) == (other.exit_code, other.stdout, other.output)

    @property
    def is_refusal(self) -> bool:
        """Whether it ended in an error of ours, and left nothing."""
        return self.exit_code == 1 and self.output is None and self.failed is None and "error:" in self.stderr


def make(folder: Path) -> Path:
    """Run the whole pipeline, and return the folder of its files; those of two runs that did not end too."""
    work = folder / "work"
    work.mkdir()
    photos = draw_people(folder / "photos", some_people(12)).parent
    (work / "fixes.csv").write_text("person_id,column,value\n000001,gender,female\n")
    with (
        _within(work, work / "cache"),
        _unfinished(work / "begun"),
        patch.object(predict, "KEPT_EVERY", KEPT),
    ):
        for words in MADE:
            found = _invoked(words.replace("{photos}", str(photos)))
            if found.exit_code:
                raise RuntimeError(f"{words}: {found.stderr}") from found.failed
    return work


def ending(case: Case, work: Path) -> Outcome:
    """Run a command in a folder that `make` has made."""
    photos = work.parent / "photos"
    with _within(work, work / "cache"):
        found = _invoked(case.words.replace("{photos}", str(photos)))
    output = work / case.output if case.output else None
    data = output.read_bytes() if output is not None and output.exists() else None
    return Outcome(found.exit_code, found.stdout, found.stderr, data, found.failed)


def _invoked(words: str) -> Outcome:
    found = CliRunner().invoke(app, words.split(), prog_name="maskkit")
    failed = None if isinstance(found.exception, SystemExit) else found.exception
    return Outcome(found.exit_code, found.stdout_bytes, found.stderr, None, failed)


@contextmanager
def _within(work: Path, cache: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(work)
    try:
        with patch.dict(os.environ, {CACHE: str(cache)}):
            yield
    finally:
        os.chdir(before)


@contextmanager
def _unfinished(folder: Path) -> Iterator[None]:
    """Keep what runs in a folder remove when they end, and take away what they end in."""
    unlink = Path.unlink

    def kept(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".resume" and path.exists() and folder in path.absolute().parents:
            shutil.copy(path, path.with_suffix(".kept"))
        unlink(path, missing_ok=missing_ok)

    with patch.object(Path, "unlink", kept):
        yield
    for path in folder.glob("*.kept"):
        path.replace(path.with_suffix(".resume"))
    for path in (folder / "fold0.safetensors", folder / "oof.parquet"):
        path.unlink()
