"""What holds on one GPU, and how fast it is: `make test-cuda`, at most eight minutes; to run/gpu/report.md.

    cd tests && python -m gpu [--wheels FOLDER] [--parts curves,steps]

It asks no registry for anything: what this Python lacks of maskkit's packages it takes from wheels in a
folder. Without a GPU it says so and ends with 0. `--rehearse` tries the script itself on a processor, with
tiny models.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded once what lacks has been added
    from gpu.parts import Given, Line
    from maskkit.options.train_options import Device

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "run" / "gpu"
LIMIT = 480.0  # seconds for all
# Part, and the seconds that it may take. Those that say most come first: what there is no time for is named.
PARTS = {
    "checks.curves": 90, "checks.resuming": 80, "speeds.steps": 80, "speeds.feeding": 60, "checks.layout": 30,
    "checks.predicting": 50, "checks.compiling": 110, "checks.suite": 120,
}  # fmt: skip


def main() -> int:
    """Run the parts; return 1 if anything does not hold, or could not be run."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument(
        "--wheels", type=Path, default=None, help="a folder of wheels, for what is not installed"
    )
    words.add_argument("--parts", default=",".join(PARTS), help="with commas between them; all if left out")
    words.add_argument("--rehearse", action="store_true", help="on a processor, with tiny models")
    words.add_argument("--part", help=argparse.SUPPRESS)  # what one of the processes is to do
    typed = words.parse_args()
    device: Device = "cpu" if typed.rehearse else "cuda"
    sys.path += [str(ROOT), str(PLACE / "packages")]
    if typed.part:
        return _done(typed.part, device)
    from gpu.packages import add

    if not add(typed.wheels, PLACE / "packages"):
        return 1
    import torch

    if not typed.rehearse and not torch.cuda.is_available():
        print(f"no GPU: torch {torch.__version__} finds none here, so that nothing was run")
        return 0
    return _run(typed.parts.split(","), device)


def _run(names: list[str], device: Device) -> int:
    from gpu.parts import Line
    from gpu.report import machine, written

    PLACE.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + LIMIT
    lines = {"machine": machine(device)}
    _draw()
    for name in (full for full in PARTS if any(full.endswith(name) for name in names)):
        left = until - time.monotonic()
        print(f"== {name}, {left:.0f} s left", flush=True)
        if left < PARTS[name] / 3:
            lines[name] = [Line("not run", "no time is left", holds=False)]
        else:
            lines[name] = _lines_of(name, device, seconds=min(left, PARTS[name]))
        for line in lines[name]:
            print(line.text, flush=True)
    (PLACE / "report.md").write_text(written(lines))
    failed = sum(line.holds is False for each in lines.values() for line in each)
    print(f"{failed} do not hold; {PLACE / 'report.md'}")
    return 1 if failed else 0


def _draw() -> None:
    """Draw people, and put them into folds."""
    for name, words in {
        "photos": ["demo", "photos", "--people", "36", "--test-people", "0"],
        "labels.parquet": ["label", "photos/train", "-o", "labels.parquet"],
        "folds.parquet": ["split", "labels.parquet", "--folds", "3", "-o", "folds.parquet"],
    }.items():
        if not (PLACE / name).exists():
            subprocess.run(
                [sys.executable, "-m", "maskkit", *words], cwd=PLACE, env=_environment(), check=True
            )


def _environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(PLACE / "packages")])
    return {**os.environ, "PYTHONPATH": path, "MASKKIT_CACHE": str(PLACE / "cache")}


def _lines_of(name: str, device: Device, *, seconds: float) -> list[Line]:
    """Run a part in a process of its own, to which a GPU is of no use any more once anything went wrong."""
    from gpu.parts import Line

    words = [sys.executable, "-m", "gpu", "--part", name, *(["--rehearse"] if device == "cpu" else [])]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT / "tests",
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        said, errors, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as over:
        said, errors, code = (over.stdout or b"").decode(), f"more than {seconds:.0f} s", -1
    lines = [Line.read(line) for line in said.splitlines() if line.startswith('{"what"')]
    if code:
        lines.append(Line("ended early", errors.strip()[-600:], holds=False))
    return lines


def _done(name: str, device: Device) -> int:
    """Do a part, and print its lines as they come."""
    from gpu.parts import Given

    module, _, function = name.partition(".")
    part: Callable[[Given], Iterator[Line]] = getattr(import_module(f"gpu.{module}"), function)
    for line in part(Given(PLACE, device, quick=device == "cpu")):
        print(line.written(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
