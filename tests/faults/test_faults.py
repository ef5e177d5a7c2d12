"""What goes wrong with a file is said, and made good by the next run: a sample here, all of it if slow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faults.commands import COMMANDS

TESTS = Path(__file__).parents[1]
LIGHT = "label,split,ensemble"
PAIRS = "label, label;ensemble, ensemble"


def _end(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "faults", *words], cwd=TESTS, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.rpartition(" s\n")[0].rpartition(",")[0] or done.stderr


def test_a_sample_of_faults_is_made_good_and_of_two_commands_neither_loses_its_work() -> None:
    code, said = _end("--commands", LIGHT, "--sample", "60", "--races", "8", "--pairs", PAIRS)
    assert (code, said) == (0, "60 cases, 8 races, 0 failed")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_fault_in_every_operation_is_made_good(name: str) -> None:
    code, said = _end("--commands", name, "--races", "0")
    assert code == 0, said


@pytest.mark.slow
def test_of_two_commands_at_once_none_loses_its_work() -> None:
    code, said = _end("--commands", "show", "--races", "200")
    assert code == 0, said


# Each replaces something of the package or of Python, and says what has to be found then.
CARELESS = """
import os, sys
import forked
from dataclasses import replace
from pathlib import Path
from faults import enumeration, given, races
from faults.commands import COMMANDS
from faults.layer import FAULTS

place = Path(sys.argv[1])
forked.load()
given.make(place / "given")


def copied(source, target):
    with open(source, "rb") as file, open(target, "wb") as other:
        other.write(file.read())


class Forgetful:
    def __getattr__(self, name):
        return (lambda *_: None) if name == "fsync" else getattr(os, name)


def over(source, target):
    os.replace(source, target)
    Path(source).touch()


def tried(name, **constants):
    usual = COMMANDS[name]
    COMMANDS[name] = replace(usual, constants={**usual.constants, **constants})
    try:
        found = enumeration.every([name], place, jobs=1, sample=30, say=lambda _: None)
        return [problem for one in found for problem in one.problems]
    except RuntimeError as error:
        return [str(error)]
    finally:
        COMMANDS[name] = usual


print(tried("pseudo", **{"os:link": copied}))
print(tried("pseudo", **{"maskkit.artifacts.draft:os": Forgetful()}))
print(tried("pseudo", **{"maskkit.artifacts.draft:cannot_write": lambda path, error: error}))
print(tried("pseudo", **{"maskkit.artifacts.draft:_remove": lambda _: None}))
print(tried("label", **{"maskkit.artifacts.progress_file:_blocks": lambda file: iter(())}))
print(tried("label", **{"maskkit.artifacts.progress_file:ProgressFile.append": lambda *_: None}))
races.CONSTANTS["os:link"] = over
raced = races.every(["label, label"], 12, place, jobs=1, say=lambda _: None)
print([problem for one in raced for problem in one.problems])
"""


@pytest.mark.slow
def test_what_is_written_carelessly_is_found(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CARELESS, str(tmp_path)]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True, check=True)
    torn, unsynced, unnamed, left, again, unkept, lost = done.stdout.splitlines()
    assert "out/pseudo.parquet is not whole" in torn
    assert "out/pseudo.parquet has its name before it is on the disk" in unsynced
    assert "the message names no file" in unnamed
    assert "was left by an error" in left
    assert "finished pieces of work were made again" in again
    assert "0 pieces of work are kept, and not 2" in unkept
    assert "exit codes [0, 0]" in lost
