"""Let every operation on files go wrong in every way, and race pairs of commands; write docs/faults.md.

    cd tests && python -m faults --jobs 2

`--commands label,train` and `--sample 60` take a part, `--races 0` no race; the tables are then printed.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # what is forked has one thread

import argparse
import shutil
import sys
import time
import warnings
from pathlib import Path
from tempfile import mkdtemp

import forked

from faults import enumeration, given, races
from faults.commands import COMMANDS
from faults.report import tables, written

ROOT = Path(__file__).parents[2]
RACES = 200


def main() -> int:
    """Run the cases and the races; return 1 if any failed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--commands", default="", help="names with commas between them; all if left out")
    words.add_argument("--sample", type=int, default=0, help="so many cases, of all kinds; all if left out")
    words.add_argument("--races", type=int, default=RACES, help="how many")
    words.add_argument(
        "--pairs", default="", help="of which pairs, with semicolons between them; all if left out"
    )
    words.add_argument("--jobs", type=int, default=1, help="processes at a time")
    words.add_argument("--folder", type=Path, default=None, help="where to work; in memory, if there is such")
    typed = words.parse_args()
    warnings.simplefilter("ignore")
    forked.load()
    started = time.monotonic()
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    # No TemporaryDirectory, which whoever is forked would remove at its end.
    place = Path(mkdtemp(dir=typed.folder or memory))
    try:
        given.make(place / "given")
        names = typed.commands.split(",") if typed.commands else list(COMMANDS)
        verdicts = enumeration.every(names, place, jobs=typed.jobs, sample=typed.sample, say=_say)
        raced: list[races.Race] = []
        if typed.races:
            pairs = typed.pairs.split(";") if typed.pairs else list(races.PAIRS)
            raced = races.every(pairs, typed.races, place, jobs=typed.jobs, say=_say)
    finally:
        shutil.rmtree(place)
    seconds = time.monotonic() - started
    failed = sum(bool(one.problems) for one in verdicts) + sum(bool(one.problems) for one in raced)
    print(f"{len(verdicts)} cases, {len(raced)} races, {failed} failed, {seconds:.0f} s")
    if not typed.commands and not typed.sample and typed.races:
        page = written(verdicts, raced, seconds=seconds, place=str(place.parent), jobs=typed.jobs)
        (ROOT / "docs" / "faults.md").write_text(page)
    else:
        print(*tables(verdicts), sep="\n")
    return min(1, failed)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
