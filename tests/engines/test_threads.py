from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from maskkit.engines import threads
from maskkit.engines.threads import on_all_cores


def test_results_come_in_order_and_only_so_many_are_worked_on_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MOST_AHEAD", 3)
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    with on_all_cores(lambda number: number**2, numbers()) as squares:
        for place, square in enumerate(squares):
            assert square == place**2
            assert taken <= place + 1 + (3 + 1) * threads.PIECE
    assert taken == 100


def test_the_error_is_that_of_the_first_item_that_fails_and_no_other_item_is_begun() -> None:
    begun = list[int]()
    first_has_failed = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == threads.PIECE:  # the second piece waits for an error that comes before its own
            first_has_failed.wait(10)
            raise ValueError("second")
        if number == 1:
            first_has_failed.set()
            raise ValueError("first")
        return number

    with pytest.raises(ValueError, match="first"), on_all_cores(work, range(10**6)) as results:
        for _ in results:
            pass
    assert len(begun) < 10**5
    assert 2 not in begun


def test_whoever_stops_reading_stops_the_threads_at_the_item_that_they_are_at() -> None:
    begun = list[int]()

    def read_one() -> None:
        with on_all_cores(begun.append, range(10**6)) as results:
            next(results)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_one()
    assert len(begun) < 10**5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_a_thread_that_is_stopped_does_not_go_on_with_its_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, second_is_begun, is_stopped = list[int](), threading.Event(), threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            is_stopped.set()
            super().shutdown(wait, cancel_futures=cancel_futures)

    def work(number: int) -> None:
        begun.append(number)
        if number == threads.PIECE:
            second_is_begun.set()
            assert is_stopped.wait(60)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Pool)
    with on_all_cores(work, range(2 * threads.PIECE)) as results:
        next(results)
        assert second_is_begun.wait(60)
    assert sorted(begun) == [*range(threads.PIECE + 1)]
