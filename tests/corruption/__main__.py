"""Change a byte of a file at random, run a command that reads it, and see that no result changes silently.

    cd tests && python -m corruption 1000 --seed 1

Whatever a byte is changed to, the command has to end in an error of ours, or in exactly the bytes that it
ends in without the change. `--cache` changes bytes of the cache instead of artifacts.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from corruption.flips import REFUSED, SAME, SILENT, Corruption
from corruption.pipeline import CASES, OF_CACHE, make


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("flips", type=int, nargs="?", default=1000)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--cache", action="store_true", help="flip bytes of the cache")
    words.add_argument("--only", type=int, help="number of a flip")
    given = words.parse_args()
    warnings.simplefilter("ignore")
    started = time.monotonic()
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        work = make(Path(folder).resolve())
        corruption = Corruption(work, OF_CACHE if given.cache else CASES)
        for number in range(given.flips) if given.only is None else (given.only,):
            corruption.flip(given.seed, number)
    return _report(corruption, given.seed, time.monotonic() - started)


def _report(corruption: Corruption, seed: int, seconds: float) -> int:
    total = silent = 0
    for name, tally in corruption.tallies.items():
        counts = [tally.verdicts[verdict] for verdict in (REFUSED, SAME, SILENT)]
        print(f"{name:40} {counts[0]:5} refused {counts[1]:5} the same result {counts[2]:5} silent changes")
        for number, flip, found in tally.findings:
            print(f"    --only {number} --seed {seed}: {flip}; exit code {found.exit_code}, {found.failed!r}")
        total += sum(counts)
        silent += counts[2]
    print(f"{total} flips, {silent} silent changes of a result, {seconds:.0f} s")
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
