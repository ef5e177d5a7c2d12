"""How tests start several processes of a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
PATIENCE = 300  # seconds


def started(
    *words: str, folder: Path, processes: int = 2, torchrun: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """Start a command of maskkit in a folder, by several processes; what it says for people is in `said`."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
    line = [*TORCHRUN, str(processes), *torchrun, "-m", "maskkit", *words]
    with (folder / "said").open("w") as said:
        return subprocess.Popen(line, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=said, text=True)


def run(
    *words: str, folder: Path, processes: int = 2, torchrun: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    """Run it; return torchrun's exit code, standard output, and what maskkit says for people."""
    process = started(*words, folder=folder, processes=processes, torchrun=torchrun)
    stdout, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, stdout, said_in(folder)


def ended(process: subprocess.Popen[str]) -> int:
    """Return the exit code of torchrun, once it has ended."""
    process.communicate(timeout=PATIENCE)
    return process.returncode


def said_in(folder: Path) -> str:
    """Return what maskkit has said for people, without what torchrun says of its end."""
    text = (folder / "said").read_text()
    lines = text.split("Traceback (most recent call last)")[0].splitlines()
    return "\n".join(line for line in lines if not line.startswith(("W1", "E1", "[W", "[E", "W0", "E0")))
