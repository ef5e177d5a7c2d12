"""A changed byte in a file, what the command that reads it makes of that, and the verdict."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from corruption.pipeline import Case, Outcome, ending

NEAR = 256  # bytes at the ends of a file, where formats keep what all the rest is found by
REFUSED, SAME, SILENT = "refused", "same", "silent"


@dataclass(frozen=True)
class Flip:
    """A byte that is another one."""

    file: str
    at: int
    old: int
    new: int


@dataclass
class Tally:
    """What became of the flips of a case."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, Flip, Outcome]] = field(default_factory=list)


class Corruption:
    """The commands' undisturbed outcomes, and what they come to after a flip."""

    def __init__(self, work: Path, cases: Sequence[Case]) -> None:
        self.work, self.cases = work, cases
        self.scratch = work.with_name("scratch")
        self.tallies = {case.name: Tally() for case in cases}
        self.undisturbed = {}
        for case in cases:
            self._fresh()
            self.undisturbed[case] = found = ending(case, self.scratch)
            if found.exit_code or not (found.output or found.stdout):
                raise RuntimeError(f"{case.words}: {found.stderr}") from found.failed

    def flip(self, seed: int, number: int) -> str:
        """Change the byte of a number, run the command, and return the verdict."""
        random = Random(f"{seed}-{number}")
        case = self.cases[number % len(self.cases)]
        self._fresh()
        flip = changed(self.scratch, case.file, random)
        found = ending(case, self.scratch)
        is_same = found.is_same(self.undisturbed[case])
        verdict = SAME if is_same else REFUSED if found.is_refusal else SILENT
        tally = self.tallies[case.name]
        tally.verdicts[verdict] += 1
        if verdict == SILENT:
            tally.findings.append((number, flip, found))
        return verdict

    def _fresh(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.copytree(self.work, self.scratch)


def changed(folder: Path, pattern: str, random: Random) -> Flip:
    """Give one byte of a file of a pattern another value; one in four is near an end of the file."""
    path = random.choice(sorted(one for one in folder.glob(pattern) if one.is_file() and one.stat().st_size))
    status, data = path.stat(), bytearray(path.read_bytes())
    at = random.randrange(len(data))
    if random.random() < 1 / 4:
        at = random.randrange(min(NEAR, len(data))) * random.choice((1, -1)) % len(data)
    old = data[at]
    data[at] ^= random.randrange(1, 256)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a disk changes bytes: without a sign
    return Flip(str(path.relative_to(folder)), at, old, data[at])
