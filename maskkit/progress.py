"""How work shows its progress: whoever runs a stage decides once, and no function passes it on."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from maskkit.dry_run import work_begins

Item = TypeVar("Item")
Show = Callable[[Iterable[Any], int, str], Iterator[Any]]


def hidden(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:  # noqa: ARG001
    """Show nothing."""
    yield from items


_show: ContextVar[Show] = ContextVar("show", default=hidden)
_moved: ContextVar[Callable[[int], None]] = ContextVar("moved", default=lambda _: None)


_later: ContextVar[float] = ContextVar("later", default=0.0)


class Measured(Generic[Item]):
    """Items that are not of one size, such as batches of photos."""

    def __init__(self, items: Iterable[Item], size: Callable[[Item], int]) -> None:
        self.items, self.size = items, size

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)


def track(
    items: Iterable[Item], total: int, what: str, *, size: Callable[[Item], int] | None = None
) -> Iterator[Item]:
    """Pass items through while whoever called `shown_by` may see how far they have come.

    Args:
        items: The work.
        total: How much is expected: items, or what their sizes add up to.
        what: Names the work.
        size: Returns how much an item is; None if each is one.
    """
    work_begins()
    return _show.get()(items if size is None else Measured(items, size), total, what)


def comes_later(seconds: float) -> None:
    """Say how long all takes that comes behind what is tracked next, if that is known."""
    _later.set(seconds)


def later() -> float:
    """Return how many seconds there are to come behind what is tracked; 0 where nobody knows."""
    return _later.get()


def moved(count: int) -> None:
    """Say that so much of the item at hand is done, by whoever works on it."""
    _moved.get()(count)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Let all that is tracked inside the block be shown by `show`, which gets what `track` does."""
    before = _show.set(show)
    try:
        yield
    finally:
        _show.reset(before)


def counted(items: Iterable[Item], advance: Callable[[int], None]) -> Iterator[Item]:
    """Pass items through, and tell `advance` how much is done: what is `moved` of one, and then its rest."""
    ahead = 0

    def move(count: int) -> None:
        nonlocal ahead
        ahead += count
        advance(count)

    outer = _moved.get()
    try:
        for item in items:
            ahead = 0
            _moved.set(move)
            yield item
            _moved.set(outer)
            advance((items.size(item) if isinstance(items, Measured) else 1) - ahead)
    finally:
        _moved.set(outer)
