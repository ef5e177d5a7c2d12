"""Give every reader of files many changed inputs, and save those that end in neither a result nor an error.

    cd tests && python -m fuzz 1000000 --seed 1 --jobs 2 --findings /tmp/findings

An input is known by its reader, seed and number; `--only NAME:NUMBER` reads that one and shows what happens.
"""

from __future__ import annotations

import argparse
import multiprocessing
import struct
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz import campaign
from fuzz.campaign import Tally
from fuzz.readers import READERS

PART = 500  # inputs of a process, after which another goes on: what libraries keep adds up


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument(
        "inputs", type=int, nargs="?", default=10_000, help="how many, of all readers together"
    )
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--jobs", type=int, default=2, help="processes at a time")
    words.add_argument(
        "--findings", type=Path, default=Path("fuzz-findings"), help="folder for what is found"
    )
    words.add_argument("--readers", default="", help="names with commas between them; all if left out")
    words.add_argument("--only", help="NAME:NUMBER")
    given = words.parse_args()
    warnings.simplefilter("ignore")
    if given.only:
        name, _, number = given.only.rpartition(":")
        with TemporaryDirectory() as folder:
            found = campaign.ending(READERS[name], campaign.made(name, given.seed, int(number)), Path(folder))
        print(*found, sep="\n")
        return 0
    names = given.readers.split(",") if given.readers else list(READERS)
    each = -(-given.inputs // len(names))
    parts = [(name, start, min(start + PART, each)) for start in range(0, each, PART) for name in names]
    started = time.monotonic()
    tallies: dict[str, Tally] = {name: Tally() for name in names}
    with ThreadPoolExecutor(given.jobs) as pool:
        for done, (name, tally) in enumerate(pool.map(partial(_part, given.seed), parts), 1):
            _add(tallies[name], tally)
            for kind in tally.findings:
                print(f"{name}: {kind}", file=sys.stderr)
            if done % len(names) == 0:
                print(f"{done * PART} of {len(parts) * PART} inputs", file=sys.stderr)
    _report(tallies, given.seed, given.findings, time.monotonic() - started)
    return 1 if any(one.findings for one in tallies.values()) else 0


def _part(seed: int, part: tuple[str, int, int]) -> tuple[str, Tally]:
    """Read inputs in a process of their own; go on after one that ended the process."""
    name, start, end = part
    tally = Tally()
    with TemporaryDirectory() as folder:
        begun = Path(folder, "begun")
        while start < end:
            receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
            arguments = (name, seed, range(start, end), begun, sender)
            process = multiprocessing.get_context("fork").Process(target=_work, args=arguments)
            process.start()
            sender.close()
            try:
                _add(tally, receiver.recv())
                start = end
            except EOFError:
                process.join()
                (last,) = struct.unpack("<q", begun.read_bytes())
                ended = f"Ended by {process.exitcode}"
                _add(tally, Tally(Counter({ended: 1}), 0.0, {ended: (last, "")}))
                start = last + 1
            process.join()
    return name, tally


def _work(name: str, seed: int, numbers: range, begun: Path, sender: object) -> None:
    campaign.limit_process()
    sender.send(campaign.run(name, seed, numbers, begun))  # type: ignore[attr-defined]


def _add(whole: Tally, part: Tally) -> None:
    whole.endings += part.endings
    whole.slowest = max(whole.slowest, part.slowest)
    for kind, one in part.findings.items():
        whole.findings.setdefault(kind, one)


def _report(tallies: dict[str, Tally], seed: int, folder: Path, seconds: float) -> None:
    for name, tally in tallies.items():
        others = sum(tally.endings.values()) - tally.endings["result"] - tally.endings["error"]
        ended = f"{tally.endings['result']:8} results {tally.endings['error']:8} errors {others:6} others"
        print(f"{name:22} {ended}  slowest {tally.slowest:.2f} s")
        for line in _kept(name, tally, seed, folder):
            print(f"    {line}")
    total = sum(sum(tally.endings.values()) for tally in tallies.values())
    print(f"{total} inputs of {len(tallies)} readers in {seconds:.0f} s, {total / seconds:.0f} per second")


def _kept(name: str, tally: Tally, seed: int, folder: Path) -> Iterator[str]:
    for number, (kind, (at, trace)) in enumerate(tally.findings.items()):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}-{seed}-{number}"
        path.write_bytes(campaign.made(name, seed, at))
        path.with_suffix(".txt").write_text(f"{kind}\n--only {name}:{at} --seed {seed}\n{trace}")
        yield f"{tally.endings[kind]:6} {kind}: input {at} in {path}"


if __name__ == "__main__":
    sys.exit(main())
