from __future__ import annotations

import pytest

from maskkit.sources.listing import TextColumn


def test_a_column_that_grows_keeps_everything_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskkit.sources.listing.BLOCK", 3)
    column = TextColumn()
    for start in range(0, 10, 2):
        column.extend([str(start), str(start + 1)])
    assert column.whole().to_pylist() == [str(number) for number in range(10)]
    assert column.whole().num_chunks > 2


def test_a_column_of_nothing_is_one_of_text() -> None:
    assert str(TextColumn().whole().type) == "string"
