"""docs/faults.md: what was tried, and what came of it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from faults.enumeration import Verdict
from faults.layer import Fault
from faults.races import PAIRS, Race
from maskkit import __version__

ORDER: tuple[Fault, ...] = (
    "EIO", "EIO for good", "ENOSPC", "disk full", "EINTR", "short", "SIGKILL", "SIGKILL half-way"
)  # fmt: skip
ABOUT = {
    "EIO": "the operation fails once, as of a bad sector or a network file system",
    "EIO for good": "the file cannot be opened from then on",
    "ENOSPC": "the disk is full once",
    "disk full": "the disk is full from then on",
    "EINTR": "a signal interrupts a call that Python does not repeat by itself (PEP 475)",
    "short": "a write takes half of what it is given",
    "SIGKILL": "the process is killed in front of the operation, or after the last",
    "SIGKILL half-way": "the process is killed when half of a write is written",
}
HEAD = """# Every operation on files, gone wrong

`cd tests && python -m faults --jobs {jobs}` made this page: maskkit {version} at {commit},
{machine}, in {place}, {minutes:.0f} minutes.

Each command runs on a few drawn photos above a layer that counts what Python does with files: opening,
reading, writing, cutting, syncing, renaming, linking and removing them, folders, modes, times and locks.
Then it runs once for each of these operations and each fault that it can have, and once more as one would
after that: with `--resume` where the command has it, never with `--force`. A case fails if

- anything under a final name is not whole, or an error leaves other files behind;
- it ends in a traceback, in a message that names no file, or in exit code 0 with other files than
  undisturbed;
- the second run does not end in the bytes of the undisturbed one, or leaves more files;
- an epoch, or a block of photos, that was on the disk is made again.

And of each undisturbed run: no file has its name before its content is synced, and its folder is synced
after. Nothing is written past the layer: `strace -f` of cee8415 counted the same creations, writes, syncs,
renames, links, removals, locks and the rest for each of the 14 commands that write.

A photo that cannot be read is no such failure where the command names it and goes on without it: `predict`
leaves it out and adds it with `--resume`, for `audit` and `eda` it is a finding, and pages lack its picture.
What is then made differs, and the next run leaves it. The cache is part of it all: its faults cost time, and
never a result.

**{cases} cases, {failed} failures.**

"""
RACES = """
## Two commands at once

The first is stopped in front of one of its operations, the second runs, the first goes on. On one output
exactly one may win, and the other ends with an error, before it began or with its work under a name that it
prints. On one cache both have to make what they make alone. **{races} pairs, {failed} losses.**

| pair | on one | pairs | the first wins | the second wins | both finish | losses |
|---|---|---|---|---|---|---|
"""


def written(
    verdicts: Sequence[Verdict], raced: Sequence[Race], *, seconds: float, place: str, jobs: int
) -> str:
    """Return the page."""
    failed = sum(bool(one.problems) for one in verdicts)
    head = HEAD.format(
        jobs=jobs, version=__version__, commit=_commit(), machine=_machine(), minutes=seconds / 60,
        cases=len(verdicts), failed=failed, place=place,
    )  # fmt: skip
    lost = sum(bool(one.problems) for one in raced)
    lines = [*tables(verdicts), RACES.format(races=len(raced), failed=lost).rstrip("\n")]
    return head + "\n".join([*lines, *_races(raced), *_failures([*verdicts, *raced])]) + "\n"


def tables(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines that tell of the cases and operations of each command."""
    yield from _cases(verdicts)
    yield from _operations(verdicts)


def _cases(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "| fault | what happens |"
    yield "|---|---|"
    yield from (f"| {fault} | {ABOUT[fault]} |" for fault in ORDER)
    yield from (
        "",
        "Cases by command and fault: how many finished all the same, and how many ended in an error or were",
    )
    yield from ("killed and were made good by the next run.", "")
    yield f"| command | {' | '.join(ORDER)} | cases | failures |"
    yield "|---" * (3 + len(ORDER)) + "|"
    for name in dict.fromkeys(one.command for one in verdicts):
        own = [one for one in verdicts if one.command == name]
        cells = [_cell([one for one in own if one.injected.fault == fault]) for fault in ORDER]
        yield f"| {name} | {' | '.join(cells)} | {len(own)} | {sum(bool(one.problems) for one in own)} |"


def _cell(cases: Sequence[Verdict]) -> str:
    finished = sum(one.outcome == "finished" for one in cases)
    return f"{finished} + {len(cases) - finished}" if cases else ""


def _operations(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield how many operations each command has, by kind."""
    found = {(one.command, one.injected.operation) for one in verdicts}
    kinds = Counter((command, operation.kind) for command, operation in found)
    columns = sorted({kind for _, kind in kinds})
    yield from ("", "Operations of the undisturbed runs:", "", f"| command | {' | '.join(columns)} |")
    yield "|---" * (1 + len(columns)) + "|"
    for name in dict.fromkeys(one.command for one in verdicts):
        yield f"| {name} | {' | '.join(str(kinds[name, kind] or '') for kind in columns)} |"


def _races(raced: Sequence[Race]) -> Iterator[str]:
    for name, pair in PAIRS.items():
        own = [one for one in raced if one.name == name]
        won = Counter(one.won for one in own)
        numbers = f"{len(own)} | {won['first']} | {won['second']} | {won['both']}"
        yield f"| {name} | {pair.shares} | {numbers} | {sum(bool(one.problems) for one in own)} |"


def _failures(found: Sequence[Verdict | Race]) -> Iterator[str]:
    bad = [one for one in found if one.problems]
    if bad:
        yield from ("", "## Failures", "")
        yield from (f"- {one}: {'; '.join(one.problems)}" for one in bad)


def _commit() -> str:
    words = ["git", "log", "-1", "--format=%h"]
    done = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "a commit that is not known"


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return f"{os.cpu_count()} processors ({processor}), Linux {platform.release()}"
