from __future__ import annotations

from collections.abc import Iterator

import pytest

from maskkit.cli.shell import terminal
from maskkit.progress import comes_later, counted, hidden, moved, shown_by, track


def shown(totals: list[tuple[int, str]], steps: list[int]) -> object:
    def show(items: object, total: int, what: str) -> Iterator[object]:
        totals.append((total, what))
        return counted(items, steps.append)  # type: ignore[arg-type]

    return show


def test_items_count_as_much_as_they_hold() -> None:
    totals: list[tuple[int, str]] = []
    steps: list[int] = []
    batches = ["abc", "de", ""]
    with shown_by(shown(totals, steps)):  # type: ignore[arg-type]
        assert list(track(batches, 5, "letters", size=len)) == batches
        assert list(track(batches, 3, "words")) == batches
    assert totals == [(5, "letters"), (3, "words")]
    assert steps == [3, 2, 0, 1, 1, 1]


def test_what_is_done_of_an_item_counts_at_once_and_no_more_in_the_end() -> None:
    steps: list[int] = []
    for batch in counted(track(["abc", "de"], 5, "letters"), steps.append):
        moved(1)  # said where the work is done, however deep
        assert steps[-1] == 1
        assert batch
    assert steps == [1, 0, 1, 0]
    moved(7)  # of nothing that is shown
    assert len(steps) == 4


def test_what_is_hidden_is_passed_on() -> None:
    assert list(hidden(range(3), 3, "numbers")) == [0, 1, 2]
    assert list(track(range(3), 3, "numbers", size=lambda _: 2)) == [0, 1, 2]


def test_the_rest_of_an_item_is_of_its_own_size() -> None:
    totals: list[tuple[int, str]] = []
    steps: list[int] = []
    with shown_by(shown(totals, steps)):  # type: ignore[arg-type]
        for batch in track(["abc", "de"], 5, "letters", size=len):
            moved(2)
            del batch
    assert steps == [2, 1, 2, 0]
    assert sum(steps) == 5


def test_lines_say_what_is_done_and_the_time_left_of_it_and_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter(range(100))
    monkeypatch.setattr("maskkit.cli.shell.terminal.time.monotonic", lambda: float(next(now)))
    monkeypatch.setattr(terminal, "LINE_EVERY", 1.0)
    with shown_by(terminal.track):
        list(track(["abc", "d"], 4, "photos", size=len))
        comes_later(60)
        list(track(["abc", "d"], 4, "photos", size=len))
    comes_later(0)
    assert capsys.readouterr().err.splitlines() == [
        "photos: 3 of 4, 0:00 left",
        "photos: 4 of 4, 0:00 left",
        "photos: 3 of 4, 0:00 left, 1:00 of all",
        "photos: 4 of 4, 0:00 left, 1:00 of all",
    ]
