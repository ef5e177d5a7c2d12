"""Every operation of every command, with every fault that it can have: run, look, run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from random import Random

from faults.commands import COMMANDS
from faults.layer import FAULTS, Injected
from faults.runs import Ended, run
from faults.sharing import shared
from faults.verdict import Case, Undisturbed, files_in, left_behind, not_kept, not_on_disk, outcome, problems


@dataclass(frozen=True)
class Verdict:
    """What came of one case; `left` are files after the second run that are no results."""

    command: str
    injected: Injected
    outcome: str
    problems: Sequence[str]
    left: Sequence[str]

    def __str__(self) -> str:
        return f"{self.command}: {self.injected.fault} in {self.injected.operation}"


def undisturbed(name: str, given: Path, folder: Path) -> Undisturbed:
    """Run a command as it is."""
    with _empty(folder):
        ended = _run(name, given, folder)
        if ended.code != 0:
            raise RuntimeError(f"{name}: {ended.stderr}")
        found = Undisturbed(ended, files_in(folder))
        if wrong := [*not_on_disk(found), *not_kept(COMMANDS[name], found)]:
            raise RuntimeError(f"{name}: {'; '.join(wrong)}")
        return found


def injections(expected: Undisturbed) -> Iterator[Injected]:
    """Yield what can go wrong in a run."""
    for one in expected.ended.done:
        for fault in FAULTS[one.operation.kind]:
            yield Injected(one.operation, fault)


def some_of(cases: Sequence[tuple[str, Injected]], count: int, seed: int = 0) -> list[tuple[str, Injected]]:
    """Choose a few, of every kind of operation and fault as far as there is room."""
    random = Random(seed)
    kinds: dict[tuple[str, str], list[tuple[str, Injected]]] = {}
    for case in random.sample(cases, len(cases)):
        kinds.setdefault((case[1].operation.kind, case[1].fault), []).append(case)
    rows = zip_longest(*random.sample(list(kinds.values()), len(kinds)))
    return [case for row in rows for case in row if case is not None][:count]


def attempt(name: str, injected: Injected, expected: Undisturbed, given: Path, folder: Path) -> Verdict:
    """Run a command with a fault, and again without."""
    with _empty(folder):
        first = _run(name, given, folder, injected)
        between = files_in(folder)
        again = _run(name, given, folder, is_again=True)
        case = Case(COMMANDS[name], injected, first, between, again, files_in(folder))
    return Verdict(name, injected, outcome(case), [*problems(case, expected)], left_behind(case, expected))


def every(
    names: Sequence[str], place: Path, *, jobs: int, sample: int, say: Callable[[str], None]
) -> list[Verdict]:
    """Try commands in a folder whose `given` holds the inputs: all cases, or a sample; say what fails."""
    given = place / "given"
    expected = {name: undisturbed(name, given, place / "undisturbed") for name in names}
    cases = [(name, one) for name in names for one in injections(expected[name])]
    chosen = some_of(cases, sample) if sample else cases
    say(f"{len(chosen)} of {len(cases)} cases of {len(names)} commands")

    def work(case: tuple[str, Injected], number: int) -> Verdict:
        name, injected = case
        verdict = attempt(name, injected, expected[name], given, place / f"case{number}")
        if verdict.problems:
            say(f"{verdict}: {'; '.join(verdict.problems)}")
        return verdict

    return shared(work, chosen, jobs)


def _run(
    name: str, given: Path, folder: Path, injected: Injected | None = None, *, is_again: bool = False
) -> Ended:
    command = COMMANDS[name]
    words = command.typed(str(given), again=is_again)
    return run(words, folder, given=given, injected=injected, constants=command.constants)


@contextmanager
def _empty(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield
    shutil.rmtree(folder)
