"""How work shows its progress: whoever runs a stage decides once, and no function passes it on."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from maskkit.dry_run import work_begins

Item = TypeVar("Item")
Show = Callable[[Iterable[Any], int, str], Iterator[Any]]


def hidden(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:  # noqa: ARG001
    """Show nothing."""
    yield from items


_show: ContextVar[Show] = ContextVar("show", default=hidden)


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items through while whoever called `shown_by` may see how far they have come.

    Args:
        items: The work.
        total: How many are expected.
        what: Names the work.
    """
    work_begins()
    return _show.get()(items, total, what)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Let all that is tracked inside the block be shown by `show`, which gets what `track` does."""
    before = _show.set(show)
    try:
        yield
    finally:
        _show.reset(before)
