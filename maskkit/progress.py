"""How a stage lets its caller show progress, without knowing of terminals."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Track(Protocol):
    """Pass items through while someone may watch how far they have come."""

    def __call__(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        """Yield `items`; `total` of them are expected, and `what` names the work."""
        ...


def untracked(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:  # noqa: ARG001
    """Show nothing."""
    yield from items
