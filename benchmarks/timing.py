"""What the benchmarks share: interleaved runs, medians and ratios, and the facts of the machine.

Each benchmark runs its variants in turns (A B A B ...), so that whatever else the machine does falls on
all of them alike, and reports medians. Nothing here is run by the tests.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "timm", "numpy", "pyarrow", "scikit-learn", "opencv-python-headless", "pillow")


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    seconds: float  # by the clock
    cpu_seconds: float  # of all its threads and processes
    peak_mb: float = 0.0  # resident, of the largest process; 0 if not known


def in_turns(variants: Mapping[str, Callable[[], object]], *, runs: int = 5) -> dict[str, list[Cost]]:
    """Run each variant `runs` times in this process, in turns; worker processes count once joined."""
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for _ in range(runs):
        for name, work in variants.items():
            cpu, clock = _cpu(), time.perf_counter()
            work()
            costs[name].append(Cost(time.perf_counter() - clock, _cpu() - cpu))
    return costs


def commands_in_turns(variants: Mapping[str, Sequence[str]], *, runs: int = 5) -> dict[str, list[Cost]]:
    """Run whole commands in turns, each as a process of its own."""
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for _ in range(runs):
        for name, words in variants.items():
            costs[name].append(run_command(words))
    return costs


def run_command(words: Sequence[str]) -> Cost:
    """Run a command to its end; raise if it fails."""
    clock = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, words))} failed:\n{said.decode()}")
    process.returncode = 0
    return Cost(time.perf_counter() - clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def medians(costs: Mapping[str, Sequence[Cost]]) -> dict[str, Cost]:
    """Return each variant's median of each figure."""
    return {
        name: Cost(
            *(statistics.median(values) for values in zip(*(asdict(c).values() for c in runs), strict=True))
        )
        for name, runs in costs.items()
    }


def report(title: str, lines: Sequence[Mapping[str, object]], *, save: Path | None = None) -> None:
    """Print lines as a Markdown table under a title, and append them to a file of JSON lines."""
    names = list(lines[0])
    print(f"\n### {title}\n\n| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for line in lines:
        print(f"| {' | '.join(_cell(line[name]) for name in names)} |")
    if save is not None:
        with save.open("a") as file:
            file.write(json.dumps({"title": title, "lines": list(lines), "machine": machine()}) + "\n")


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.processor(),
    )  # fmt: skip
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "bfloat16": [name for name in ("avx512_bf16", "amx_bf16") if name in flags],
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }  # fmt: skip


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _cell(value: object) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 100
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )
