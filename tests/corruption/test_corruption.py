"""No changed byte of an artifact changes a result silently: some now, thousands by `python -m corruption`."""

from __future__ import annotations

from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from corruption.flips import REFUSED, SAME, SILENT, Corruption, changed
from corruption.pipeline import CASES, Outcome, make
from maskkit.artifacts import seal

SEED = 5
ROUNDS = 2


@pytest.fixture(scope="module")
def corruption(tmp_path_factory: pytest.TempPathFactory) -> Corruption:
    pytest.importorskip("onnx", reason="needs maskkit[onnx]")
    return Corruption(make(tmp_path_factory.mktemp("corruption")), CASES)


def test_a_changed_byte_ends_in_our_error_or_changes_nothing(corruption: Corruption) -> None:
    verdicts = [corruption.flip(SEED, number) for number in range(ROUNDS * len(CASES))]
    findings = [tally.findings for tally in corruption.tallies.values() if tally.findings]
    assert findings == []
    assert verdicts.count(REFUSED) > verdicts.count(SAME)


def test_without_the_checksums_results_change(corruption: Corruption) -> None:
    shows = Corruption(corruption.work, [case for case in CASES if case.words.startswith("show")])
    with patch.object(seal, "_refuse"):
        assert SILENT in {shows.flip(SEED, number) for number in range(16)}


def test_a_change_is_of_one_byte_and_leaves_no_other_trace(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for number in range(100):
        path.write_bytes(bytes(600))
        before = path.stat().st_mtime_ns
        flip = changed(tmp_path, "*", Random(number))
        data = path.read_bytes()
        assert (len(data), data.count(0), data[flip.at], flip.old) == (600, 599, flip.new, 0)
        assert path.stat().st_mtime_ns == before


def test_an_error_that_leaves_a_file_or_is_none_of_ours_is_no_refusal() -> None:
    assert Outcome(1, b"", "error: x is damaged", None).is_refusal
    assert not Outcome(0, b"", "error: x", None).is_refusal
    assert not Outcome(1, b"", "error: x", b"half a file").is_refusal
    assert not Outcome(1, b"", "error: x", None, KeyError("x")).is_refusal
    assert not Outcome(1, b"", "Traceback", None).is_refusal


def test_another_byte_anywhere_in_a_result_is_another_result() -> None:
    outcome = Outcome(0, b"a", "said", b"b")
    assert outcome.is_same(Outcome(0, b"a", "said otherwise", b"b"))
    for other in (Outcome(3, b"a", "", b"b"), Outcome(0, b"", "", b"b"), Outcome(0, b"a", "", None)):
        assert not outcome.is_same(other)
