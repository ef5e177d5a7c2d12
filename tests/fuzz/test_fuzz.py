"""Every reader ends in a result or in our error: some inputs now, a million by `python -m fuzz`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seals import seals_of

from fuzz import campaign
from fuzz.campaign import ending, made
from fuzz.mutations import changed_bytes, changed_value
from fuzz.readers import READERS

FINDINGS = sorted(Path(__file__).with_name("findings").glob("*--*"))  # READER--what-it-was
FEW = 20


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_changed_inputs_end_in_a_result_or_an_error_of_ours(name: str) -> None:
    tally = campaign.run(name, seed=0, numbers=range(FEW))
    assert tally.findings == {}
    assert tally.endings.total() == FEW


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"sealed"}))
def test_inputs_have_no_checksum_at_which_reading_would_end(name: str) -> None:
    assert not any(seals_of(made(name, 0, number)) for number in range(FEW))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(path: Path, tmp_path: Path) -> None:
    found, trace = ending(READERS[path.name.partition("--")[0]], path.read_bytes(), tmp_path)
    assert found in ("result", "error"), trace


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.randoms(use_true_random=False))
def test_so_do_inputs_that_hypothesis_looks_for(
    tmp_path_factory: pytest.TempPathFactory, name: str, random: Random
) -> None:
    found, trace = ending(READERS[name], READERS[name].make(random), tmp_path_factory.mktemp("fuzz"))
    assert found in ("result", "error"), trace


WHAT_ELSE = """
import sys, time
from pathlib import Path
from fuzz import campaign
from fuzz.readers import Reader
from maskkit.errors import MaskkitError

def refused(data, folder):
    raise MaskkitError("it", why="is", fix="refused")

def broken(data, folder):
    raise KeyError(data)

def ended(read, *, seconds=5.0, memory=1 << 30):
    campaign.SECONDS, campaign.MEMORY = seconds, memory
    return campaign.ending(Reader("it", lambda _: b"", read), b"", Path(sys.argv[1]))[0]

print(ended(lambda *given: given[0]))
print(ended(refused))
print(ended(broken))
print(ended(lambda *_: time.sleep(5), seconds=0.2))
print(ended(lambda *_: 0, memory=-1))  # the largest ever is that of whoever began this process
"""


def test_what_else_happens_is_found(tmp_path: Path) -> None:
    # In a process of its own: its alarm is for no other test, and its memory is not that of all before.
    words = [sys.executable, "-c", WHAT_ELSE, str(tmp_path)]
    done = subprocess.run(
        words, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120, check=True
    )
    result, error, broken, slow, large = done.stdout.splitlines()
    assert (result, error, slow, large) == ("result", "error", "TooSlow", "TooLarge")
    assert broken.startswith("KeyError in ")


def test_an_input_is_known_by_its_seed_and_number_and_no_two_are_alike() -> None:
    for name in ("decision", "photo-png", "weights-zip"):
        inputs = [made(name, 1, number) for number in range(10)]
        assert inputs == [made(name, 1, number) for number in range(10)]
        assert len(set(inputs)) > 7
        assert inputs != [made(name, 2, number) for number in range(10)]


def test_changes_leave_what_they_are_given_as_it_is() -> None:
    value = {"a": [1, {"b": 2}], "c": "x"}
    data = b"some bytes"
    for number in range(200):
        changed_value(value, Random(number))
        changed_bytes(data, Random(number))
    assert (value, data) == ({"a": [1, {"b": 2}], "c": "x"}, b"some bytes")
