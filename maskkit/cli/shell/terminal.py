"""Talking to people: everything here goes to standard error, so that standard output stays clean.

Rich is loaded when there is something to say: a quiet command has nothing, and `--help` needs less of it.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from maskkit.dry_run import work_begins
from maskkit.options.values import as_clock
from maskkit.plain_text import printable
from maskkit.progress import counted, later
from maskkit.stopping import STDERR, undone

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")

LINE_EVERY = 10.0  # seconds between plain lines of progress where there is no terminal
WIDEST = 1000  # columns; tables take what they need of it
COLOURS = {"warning": "yellow", "error": "red"}


@cache
def console() -> Console:
    """Return where people are talked to."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def escape(text: str) -> str:
    """Return text as rich shows it to the letter; it would take square brackets for markup.

    What a terminal would act on, as texts of files may hold, is written by its number.
    """
    text = printable(text, keep="\n\t")
    if not set(text) & {"[", "\\"}:
        return text
    from rich.markup import escape as escaped

    return escaped(text)


class _Messages(logging.Handler):
    """Show what stages log: notes as they are, warnings with their name in front."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        name = f"[{COLOURS[level]}]{level}:[/] " if level in COLOURS else ""
        console().print(name + escape(printable(record.getMessage())))


def set_up(*, quiet: bool) -> None:
    """Decide how much is said. Errors are always shown, warnings too: they are about results."""
    log = logging.getLogger("maskkit")
    log.handlers = [_Messages()]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.INFO)


def is_quiet() -> bool:
    """Whether only warnings and errors are shown."""
    return logging.getLogger("maskkit").level > logging.INFO


def note(text: object) -> None:
    """Show a line, a table or another renderable, unless quiet."""
    if not is_quiet():
        _console(text, stderr=True).print(escape(text) if isinstance(text, str) else text)


def show(table: object) -> None:
    """Show on standard output, for reports that a person reads there."""
    work_begins()
    _console(table, stderr=False).print(table)


def _console(item: object, *, stderr: bool) -> Console:
    """Let a table of numbers be wider than the terminal: 0.98 cut short would be read as 0.9."""
    from rich.console import Console
    from rich.table import Table

    if isinstance(item, Table) and any(column.no_wrap for column in item.columns):
        return Console(stderr=stderr, highlight=False, width=WIDEST)
    return console() if stderr else Console(highlight=False)


def track(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Pass items through below a progress bar, or between plain lines where there is no terminal."""
    if is_quiet():
        yield from items
    elif console().is_terminal:
        yield from _bar(items, total, what)
    else:
        yield from _lines(items, total, what)


def _bar(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    if later():
        columns.append(TextColumn(f"then {as_clock(later())} more"))
    progress = Progress(*columns, console=console(), transient=True)
    with undone(lambda: progress, _wipe), progress:
        task = progress.add_task(what, total=total)
        yield from counted(items, lambda count: progress.advance(task, count))


def _wipe(_: object) -> None:
    """Remove the bar and bring the cursor back, not through rich, which may be in the middle of a picture."""
    os.write(STDERR, b"\r\x1b[2K\x1b[?25h")


def _lines(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    begun = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if done and now - last >= LINE_EVERY:
            last = now
            left = (now - begun) * max(0, total - done) / done
            more = f", {as_clock(left + later())} of all" if later() else ""
            line = f"{what}: {done} of {total}, {as_clock(left)} left{more}"
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    yield from counted(items, advance)
