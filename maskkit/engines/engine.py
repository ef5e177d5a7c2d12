"""What applies a function to many things: whoever runs a stage decides once, and no function passes it on.

A stage hands over its function and what that is applied to, and gets the results in their order. Where they
are computed changes no byte of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from itertools import chain
from typing import Protocol, TypeVar

from maskkit.engines.threads import on_all_cores
from maskkit.options.ray_address import RayAddress

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """A place where functions are applied.

    Each of its two ways is a context: at its end, however it comes, nothing is begun any more. Results come
    in the order of what they are made of, as does the first error. What is handed over has to be such that
    `pickle` can take it to another process.
    """

    batches_per_task: int | None  # how many batches a task of `through` has; None for all in one

    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None
    ) -> AbstractContextManager[Iterator[Result]]:
        """Apply a function to each item, such as a photo; it is called by several threads at once.

        More `threads` than there are cores are for a function that mostly waits, as for an object store.
        """

    def through(
        self,
        function: Callable[[Item], Iterator[Result]],
        tasks: Iterable[Item],
        *,
        threads: int,
        on_gpu: bool,
    ) -> AbstractContextManager[Iterator[Result]]:
        """Yield what a function makes of each task, one after the other; it computes in so many threads.

        What it keeps from one task to the next, such as a model, is made once where it is applied.
        """


class ThisProcess:
    """The threads and the devices of this process."""

    batches_per_task: int | None = None

    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None
    ) -> AbstractContextManager[Iterator[Result]]:
        """Apply a function to each item, on all processors."""
        return on_all_cores(function, items, threads=threads)

    def through(
        self,
        function: Callable[[Item], Iterator[Result]],
        tasks: Iterable[Item],
        *,
        threads: int,  # noqa: ARG002 - those that it computes in anyway
        on_gpu: bool,  # noqa: ARG002
    ) -> AbstractContextManager[Iterator[Result]]:
        """Yield what a function makes of each task."""
        return nullcontext(chain.from_iterable(map(function, tasks)))


_chosen: ContextVar[Engine | None] = ContextVar("chosen", default=None)


def chosen() -> Engine:
    """Return what photos are worked on by."""
    return _chosen.get() or ThisProcess()


@contextmanager
def working_on(address: RayAddress | None) -> Iterator[None]:
    """Work on photos by Ray inside the block, or if that is None by this process.

    Raises:
        MaskkitError: Ray is not installed.
    """
    if address is None:
        yield
        return
    from maskkit.engines.on_ray import OnRay  # which nothing else loads

    with OnRay.at(address) as engine:
        before = _chosen.set(engine)
        try:
            yield
        finally:
            _chosen.reset(before)
