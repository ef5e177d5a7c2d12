from __future__ import annotations

from pathlib import Path

import pytest
import stress

from maskkit.cache import digests, own_files, records


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SPARE", 0)
    monkeypatch.setattr(digests, "SETTLED", -(10**18))
    monkeypatch.setattr(own_files, "_said", set())


def test_processes_get_what_the_maker_makes_while_another_destroys_their_cache(tmp_path: Path) -> None:
    counts, _, failures = stress.run_pairs(tmp_path, 2)
    assert failures == 0
    assert counts["wrong records"] + counts["wrong digests"] == 0
    assert counts["digests"] == 4 * stress.ROUNDS * 20


def test_no_changed_byte_of_any_file_changes_a_record_or_a_digest(tmp_path: Path) -> None:
    flipped, counts = stress.run_flips(tmp_path, 20)
    assert sum(flipped.values()) == 20
    assert counts["wrong records"] + counts["wrong digests"] == 0
