"""Two commands at once: on one output, of which one wins and the other loses nothing, and on one cache.

The first is stopped in front of one of its operations, the second runs to its end, and the first goes on:
what chance would show in a million races is met in as many runs as there are operations. If the second waits
for the first, that goes on after a while.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from faults.commands import SMALL_CHUNKS
from faults.given import PREDICT, QUICK
from faults.layer import Injected, Operation
from faults.runs import Ended, Running, run
from faults.sharing import shared
from faults.verdict import Files, files_in

CONSTANTS = dict(SMALL_CHUNKS)
PATIENCE = 3.0  # seconds that the second has before the first goes on
TRAIN = f"train {{given}}/few-folds.parquet -o out/model.safetensors {QUICK}"
EVALUATE = "evaluate {given}/folds.parquet {given}/oof.parquet"
ALL = f"{PREDICT} {{given}}/few.parquet {{given}}/fold0.safetensors --allow-leak"


@dataclass(frozen=True)
class Pair:
    """Two commands that write different things to one file, or the same cache; outputs go to `out`."""

    first: str
    second: str
    shares: str  # "output" or "cache"


PAIRS = {
    "label, label": Pair(
        "label {given}/few/train.csv -o out/x.parquet",
        "label {given}/few/train.csv -o out/x.parquet --train-cuts age=25,50", "output",
    ),
    "label, split": Pair(
        "label {given}/few/train.csv -o out/x.parquet",
        "split {given}/few.parquet --folds 2 --seed 1 -o out/x.parquet", "output",
    ),
    "train, train": Pair(TRAIN, f"{TRAIN} --seed 1", "output"),
    "predict, predict": Pair(f"{ALL} -o out/x.parquet", f"{ALL} --tta hflip -o out/x.parquet", "output"),
    "ensemble, ensemble": Pair(
        "ensemble {given}/oof.parquet {given}/flipped.parquet -o out/x.parquet",
        "ensemble {given}/oof.parquet {given}/flipped.parquet --vote geometric -o out/x.parquet", "output",
    ),
    "evaluate, evaluate": Pair(
        f"{EVALUATE} -o out/x.json --html out/x.html", f"{EVALUATE} --seed 1 -o out/x.json --html out/x.html",
        "output",
    ),
    "train, predict": Pair(TRAIN, f"{ALL} -o out/x.parquet", "cache"),
    "predict, train": Pair(f"{ALL} -o out/x.parquet", TRAIN, "cache"),
    "train, lr-find": Pair(
        TRAIN,
        f"lr-find {{given}}/few-folds.parquet {QUICK.replace('--epochs 2 ', '')} --steps 5 -o out/x.json",
        "cache",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Alone:
    """What each of two commands makes without the other."""

    first: Files
    second: Files
    operations: Sequence[Operation]  # of the first


@dataclass(frozen=True)
class Race:
    """How a pair ended."""

    name: str
    stopped_at: Operation
    won: str  # "first", "second" or "both"
    problems: Sequence[str]

    def __str__(self) -> str:
        return f"{self.name}, the first stopped at {self.stopped_at}"


def alone(name: str, given: Path, folder: Path) -> Alone:
    """Run each of two commands without the other."""
    pair, found = PAIRS[name], []
    for text in (pair.first, pair.second):
        ended = run(_words(text, given), _emptied(folder), given=given, constants=CONSTANTS)
        if ended.code != 0:
            raise RuntimeError(f"{text}: {ended.stderr}")
        found.append((files_in(folder), ended))
    return Alone(found[0][0], found[1][0], [one.operation for one in found[0][1].done])


def stops(expected: Mapping[str, Alone], count: int) -> Iterator[tuple[str, Operation]]:
    """Choose operations to stop at, of each pair in turn: first those on what is shared."""
    each = []
    for name, of in expected.items():
        first = ("out/", "cache/") if PAIRS[name].shares == "output" else ("cache/", "out/")
        order = sorted(of.operations, key=lambda one: [not one.path.startswith(part) for part in first])
        each.append([(name, one) for one in order])
    longest = max(map(len, each))
    found = [some[row] for row in range(longest) for some in each if row < len(some)]
    return islice(cycle(found), count)


def race(name: str, stop: Operation, expected: Alone, given: Path, folder: Path) -> Race:
    """Run the first up to an operation, then the second, then the rest of the first."""
    pair, place = PAIRS[name], _emptied(folder)
    with (
        Running(
            _words(pair.first, given),
            place,
            given=given,
            injected=Injected(stop, "pause"),
            constants=CONSTANTS,
        ) as first,
    ):
        is_stopped = first.wait_for_pause()
        with Running(_words(pair.second, given), place, given=given, constants=CONSTANTS) as second:
            second.wait(PATIENCE)
            if is_stopped:
                first.go_on()
            ends = first.ended(), second.ended()
    files = files_in(folder)
    shutil.rmtree(folder)
    if not is_stopped:
        return Race(name, stop, "?", ["the first was not stopped"])
    if pair.shares == "cache":
        found = [*_both(ends, files, expected)]
        return Race(name, stop, "both", found)
    won = "first" if ends[0].code == 0 else "second"
    return Race(name, stop, won, [*_one(ends, files, expected)])


def every(
    names: Sequence[str], count: int, place: Path, *, jobs: int, say: Callable[[str], None]
) -> list[Race]:
    """Race pairs in a folder whose `given` holds the inputs; say what fails."""
    given = place / "given"
    expected = {name: alone(name, given, place / "alone") for name in names}

    def work(case: tuple[str, Operation], number: int) -> Race:
        name, stop = case
        found = race(name, stop, expected[name], given, place / f"race{number}")
        if found.problems:
            say(f"{found}: {'; '.join(found.problems)}")
        return found

    return shared(work, [*stops(expected, count)], jobs)


def _both(ends: Sequence[Ended], files: Files, expected: Alone) -> Iterator[str]:
    for end in ends:
        if end.code:
            yield f"exit code {end.code}: {end.stderr[-300:]!r}"
    if files != {**expected.first, **expected.second}:
        yield f"other files: {sorted(files)}"


def _one(ends: Sequence[Ended], files: Files, expected: Alone) -> Iterator[str]:
    """Yield what is wrong if one should win, and the other keep its work or be refused before it had any."""
    if sorted(str(end.code) for end in ends) != ["0", "1"]:
        yield f"exit codes {[end.code for end in ends]}: {[end.stderr[-200:] for end in ends]}"
        return
    wins = 0 if ends[0].code == 0 else 1
    winners, losers = (expected.first, expected.second)[:: 1 if wins == 0 else -1]
    lost = ends[1 - wins]
    if "Traceback" in lost.stderr or not re.search(
        r"^error: .+\n +why: .+\n +fix: ", lost.stderr, re.MULTILINE
    ):
        yield f"the loser has no message: {lost.stderr[-300:]!r}"
    if {name: files.get(name) for name in winners} != winners:
        yield f"not what the winner makes: {sorted(files)}"
    more = {name: data for name, data in files.items() if name not in winners}
    kept = [name for name, data in more.items() if data in losers.values() and name in lost.stderr]
    if set(more) != set(kept):
        yield f"files that are nobody's: {sorted(set(more) - set(kept))}"
    if _wrote(lost) and len(kept) < len(losers):
        yield f"the loser's work is gone: {lost.stderr[-300:]!r}"


def _wrote(ended: Ended) -> bool:
    """Whether a run had made its files, before it lost."""
    written = [one.operation for one in ended.done if one.operation.kind == "sync" and not one.ended]
    return any(one.path.startswith("out/.") and one.path.endswith(".partial") for one in written)


def _words(text: str, given: Path) -> list[str]:
    return text.format(given=given).split()


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
