"""A dry run: the command itself, as far as the first long work, or the first thing it would write.

There is no list of what a dry run checks, which would have to be kept equal to what a run refuses: it goes
the same way, until whatever takes time or writes says so by `work_begins`. What shows its progress says it,
and what makes files, keeps progress or prints results; a stage says it where its work does nothing of that.

Two things a dry run leaves out on that way: it takes no lock, and fetches no weights from a hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_dry: ContextVar[bool] = ContextVar("is_dry", default=False)


class WorkBegins(BaseException):
    """A dry run has come to its end.

    It is no Exception, so that nothing on the way takes it for a failure.
    """


def is_dry() -> bool:
    """Whether nothing may be written."""
    return _is_dry.get()


def work_begins() -> None:
    """Say that all that can be refused before has been looked at: there a dry run ends."""
    if is_dry():
        raise WorkBegins


@contextmanager
def dry_run(*, is_wanted: bool) -> Iterator[None]:
    """Let what is done inside the block end where its work begins, if that is wanted."""
    before = _is_dry.set(is_wanted)
    try:
        yield
    except WorkBegins:
        pass
    finally:
        _is_dry.reset(before)


@contextmanager
def counted_as_check() -> Iterator[None]:
    """Let work inside the block be done in a dry run too: what it finds is what a run may be refused for.

    It makes no file of the user's.
    """
    before = _is_dry.set(False)
    try:
        yield
    finally:
        _is_dry.reset(before)
