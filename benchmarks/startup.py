"""Start-up: `maskkit --help` against importing typer, and small commands, as whole processes.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from timing import commands_in_turns, medians, report

MASKKIT = [sys.executable, "-m", "maskkit"]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--runs", type=int, default=15)
    words.add_argument("--save", type=Path, help="JSON lines to append the figures to")
    given = words.parse_args()
    ways = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import typer": [sys.executable, "-c", "import typer"],
        "maskkit --help": [*MASKKIT, "--help"],
        "maskkit train --help": [*MASKKIT, "train", "--help"],
        "maskkit --version": [*MASKKIT, "--version"],
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import pyarrow.compute": [sys.executable, "-c", "import pyarrow.compute"],
        "import pandas": [sys.executable, "-c", "import pandas"],
    }
    costs = medians(commands_in_turns(ways, runs=given.runs))
    typer = costs["import typer"].cpu_seconds
    lines = [
        {"process": name, "CPU s": cost.cpu_seconds, "times import typer": cost.cpu_seconds / typer}
        for name, cost in costs.items()
    ]
    report(f"start-up, medians of {given.runs} runs in turns", lines, save=given.save)


if __name__ == "__main__":
    main()
