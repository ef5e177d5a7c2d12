"""What the tests of the command line share: how to run it, and what each command needs to run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer.main
import typer.testing
from typer.testing import CliRunner, Result

from maskkit.cli import app

APP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = APP.commands
# What `CliRunner` would build anew for each run, which is most of what a small command takes.
typer.testing._get_command = cache(typer.main.get_command)  # type: ignore[attr-defined]
QUICK = (
    "--model test_efficientnet --weights none --size 32 --epochs 1 --workers 0 --device cpu --batch-size 60"
)

RISING = f"{QUICK.replace('--epochs 1 ', '')} --steps 20"


@dataclass(frozen=True)
class Described:
    """A command as the contract sees it. Words name files of the fixture `work`.

    Args:
        words: What it needs to run, without -o.
        suffix: Of the artifact it makes; None if it makes none, or not by -o.
        reports: Whether it prints TSV, or JSON with --json.
        piped: Words with which it reads `stdin`, if the latter is not a path.
        stdin: The file that it can read from standard input.
        to_stdout: Whether it writes its artifact there if -o is left out.
        impossible: Words with which it cannot do its work: exit code 1.
        refused: Words to which the answer is no: exit code 3.
    """

    words: str
    suffix: str | None = None
    reports: bool = False
    piped: str = ""
    stdin: str | None = None
    to_stdout: bool = True
    impossible: str = "nowhere"
    refused: str | None = None


DESCRIBED = {
    "demo": Described("drawn --people 1 --test-people 1", impossible="labels.parquet", to_stdout=False),
    "eda": Described(
        "folds.parquet --half", reports=True, stdin="folds.parquet", piped="--counts-only",
        impossible="nowhere",
    ),
    "label": Described(
        "{train_csv}", suffix=".parquet", stdin="{train_csv}", piped="--root {images}",
        impossible="labels.toml",
    ),
    "crop": Described(
        "labels.parquet --detector detector", suffix=".parquet", stdin="labels.parquet",
        piped="--detector detector", impossible="labels.parquet --detector nowhere",
    ),
    "split": Described(
        "labels.parquet --folds 3", suffix=".parquet", stdin="labels.parquet", piped="--folds 3",
        refused="leaky.parquet --check",
    ),
    "join": Described("part1.parquet part2.parquet", suffix=".parquet", impossible="part1.parquet"),
    "lr-find": Described(
        f"folds.parquet {RISING}", suffix=".json", reports=True, stdin="folds.parquet", piped=RISING,
        refused=f"leaky.parquet {RISING}",
    ),
    "train": Described(
        f"folds.parquet {QUICK}", suffix=".safetensors", stdin="folds.parquet", piped=QUICK, to_stdout=False,
        impossible="nowhere -o x.safetensors", refused=f"leaky.parquet {QUICK} -o x.safetensors",
    ),
    "soup": Described(
        "fold0.safetensors fold1.safetensors --uniform --on truth --workers 0", suffix=".safetensors",
        impossible="fold0.safetensors nowhere --uniform",
        refused="fold0.safetensors fold1.safetensors --on folds.parquet --workers 0",
    ),
    "predict": Described(
        "folds.parquet fold0.safetensors fold1.safetensors fold2.safetensors --oof --workers 0",
        suffix=".parquet", stdin="folds.parquet",
        piped="- fold0.safetensors fold1.safetensors fold2.safetensors --oof --workers 0",
        impossible="nowhere fold0.safetensors", refused="folds.parquet fold0.safetensors --workers 0",
    ),
    "export": Described("fold0.safetensors", suffix=".onnx", stdin="fold0.safetensors"),
    "ensemble": Described(
        "oof.parquet oof.parquet", suffix=".parquet", stdin="oof.parquet", piped="- oof.parquet",
        refused="leaky-oof.parquet",
    ),
    "evaluate": Described(
        "folds.parquet oof.parquet", suffix=".json", reports=True, stdin="folds.parquet",
        piped="- oof.parquet", impossible="folds.parquet nowhere",
        refused="folds.parquet oof.parquet --fail-under 1",
    ),
    "compare": Described(
        "oof.parquet again.parquet --on truth", reports=True, stdin="oof.parquet",
        piped="- again.parquet --on truth",
        refused="again.parquet leaky-oof.parquet --on truth",
    ),
    "audit": Described(
        "folds.parquet oof.parquet --no-photos --sureness 0", suffix=".parquet", reports=True,
        stdin="folds.parquet", piped="- oof.parquet --no-photos", to_stdout=False,
        impossible="folds.parquet nowhere", refused="leaky.parquet --no-photos",
    ),
    "review": Described(
        "folds.parquet fixes.csv --annotations annotated", suffix=".csv", stdin="folds.parquet",
        piped="- fixes.csv --annotations annotated", to_stdout=False,
        impossible="folds.parquet nowhere -o reviewed.csv",
    ),
    "pseudo": Described(
        "folds.parquet test-fold0.parquet --unlabeled unlabelled --threshold 1e-2", suffix=".parquet",
        stdin="folds.parquet", piped="- test-fold0.parquet --unlabeled unlabelled --threshold 1e-2",
        impossible="folds.parquet nowhere", refused="folds.parquet test.parquet --unlabeled unlabelled",
    ),
    "bench": Described(
        "folds.parquet --seconds .01 --model test_efficientnet --size 32 --device cpu --batch-size 8",
        reports=True, stdin="folds.parquet",
        piped="--seconds .01 --model test_efficientnet --size 32 --device cpu --batch-size 8",
    ),
    "show": Described("fold0.safetensors", reports=True, stdin="folds.parquet"),
}  # fmt: skip
MAKERS = [name for name, one in DESCRIBED.items() if one.suffix]
REPORTERS = [name for name, one in DESCRIBED.items() if one.reports]


def run(*words: str, stdin: bytes | Path | None = None, **environment: str) -> Result:
    """Run a command in this process; standard input and output are no terminals."""
    given = stdin.read_bytes() if isinstance(stdin, Path) else stdin
    return CliRunner().invoke(app, list(words), input=given, env=environment, prog_name="maskkit")


def start(
    *words: str,
    stdin: Any = subprocess.DEVNULL,
    stdout: Any = subprocess.PIPE,
    stderr: Any = subprocess.PIPE,
    **environment: str,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, as a shell with job control does."""
    return subprocess.Popen(
        [sys.executable, "-m", "maskkit", *words],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        start_new_session=True,
    )


def read_all(terminal: int) -> str:
    """Read what was shown on a pseudo-terminal whose other end is closed."""
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody writes there any more
            piece = b""
        if not piece:
            return shown.decode()
        shown += piece


def error_parts(text: str) -> list[str]:
    """Return the names of the parts of the error messages in a text, in their order."""
    return re.findall(r"^ *(error|why|fix): .", text, re.MULTILINE)
