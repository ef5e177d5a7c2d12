"""An engine that stands for any: what it applies has travelled, and comes in small tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from maskkit.engines import engine

cloudpickle: Any = pytest.importorskip("ray.cloudpickle")


class Elsewhere:
    """Applies copies of functions, as another process gets them, and counts tasks."""

    def __init__(self) -> None:
        self.batches_per_task: int | None = 2
        self.tasks = 0

    @contextmanager
    def each(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        threads: int | None = None,  # noqa: ARG002
    ) -> Iterator[Iterator[Any]]:
        with self.through(lambda item: iter([function(item)]), items, threads=1, on_gpu=False) as found:
            yield found

    @contextmanager
    def through(
        self,
        function: Callable[[Any], Iterator[Any]],
        tasks: Iterable[Any],
        *,
        threads: int,  # noqa: ARG002
        on_gpu: bool,  # noqa: ARG002
    ) -> Iterator[Iterator[Any]]:
        there = cloudpickle.loads(cloudpickle.dumps(function))
        yield (result for task in tasks for result in self._applied(there, task))

    def _applied(self, function: Callable[[Any], Iterator[Any]], task: Any) -> list[Any]:
        self.tasks += 1
        results = list(function(cloudpickle.loads(cloudpickle.dumps(task))))
        return list(cloudpickle.loads(cloudpickle.dumps(results)))


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    """Work elsewhere inside the block."""
    one = Elsewhere()
    before = engine._chosen.set(one)
    try:
        yield one
    finally:
        engine._chosen.reset(before)
