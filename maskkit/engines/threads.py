"""Work on many things by all processors of this machine: threads, for libraries that let go of the lock."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

PIECE = 4  # what a thread works on before it takes the next: taking costs as much as hashing a small photo
MOST_AHEAD = 1024  # pieces worked on while the first of them, maybe a huge photo, is not done

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def on_all_cores(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None
) -> Iterator[Iterator[Result]]:
    """Work on each item in a thread; the results come in the items' order, as does the first error.

    A context: at its end, however it comes, threads finish the item they are at and no other. NumPy, OpenCV
    and Pillow compute outside the interpreter's lock. More `threads` than there are cores are for work that
    waits for most of its time.
    """
    size = PIECE if threads is None else 1
    stopped = threading.Event()

    def work_on(piece: list[Item]) -> list[Result]:
        return [work(item) for item in piece if not stopped.is_set()]

    pool = ThreadPoolExecutor(threads or os.cpu_count())
    try:
        yield _in_order(pool, work_on, iter(items), size)
    finally:
        stopped.set()
        pool.shutdown()  # what is ahead finds that it is stopped


def _in_order(
    pool: ThreadPoolExecutor, work_on: Callable[[list[Item]], list[Result]], items: Iterator[Item], size: int
) -> Iterator[Result]:
    ahead: deque[Future[list[Result]]] = deque()
    while True:
        while len(ahead) < MOST_AHEAD and (piece := list(islice(items, size))):
            ahead.append(pool.submit(work_on, piece))
        if not ahead:
            return
        yield from ahead.popleft().result()
