"""What ends a run from outside: Ctrl-C, a polite kill, a terminal that is closed, the end of a queue's slot.

Nothing is raised for it. An exception between any two instructions would be turned into an ImportError where
a module of C is loaded, printed and lost in a destructor, and leave out the rest of a clean-up. Instead the
handler undoes what is half done and ends the process, with 128 and the signal's number as the exit code. Work
that can be gone on with is not ended in the middle of a step: it defers its end, and checks between two.

A program that imports maskkit keeps its own handlers: all of this does nothing before `take_over`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

Made = TypeVar("Made")

ENDED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "the terminal is closed"}
STDERR = 2


class StopRequested(BaseException):
    """Work that has deferred its end is to end now. No Exception: whoever catches those means failures."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """The signal's name, such as "SIGTERM"."""
        return signal.Signals(self.number).name


class _Run:
    """What the handler has to know of the process. Lists, whose `append` and `pop` no signal can divide."""

    def __init__(self) -> None:
        self.is_ours = False  # whether the signals are
        self.undo: list[Callable[[], object]] = []  # what is half done
        self.held: list[object] = []  # by each thread that makes something which is to be undone
        self.waiting: int | None = None  # the signal that came meanwhile
        self.is_deferred = False
        self.asked: int | None = None  # the signal that work is to check for
        self.hint = ""
        self.is_silent = False  # whether another process says what there is to say


_run = _Run()


def exit_code(number: int) -> int:
    """Return the exit code of a run that a signal ended, as shells show it.

    >>> exit_code(signal.SIGTERM)
    143
    """
    return 128 + number


def take_over() -> None:
    """Handle signals from now on, but for those that whoever started us ignores, as nohup does."""
    for number in ENDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    _run.is_ours = True


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the block ends, which has to be soon; in whatever thread."""
    _run.held.append(None)
    try:
        yield
    finally:
        _run.held.pop()
        if _run.waiting is not None and not _run.held:
            _end(_run.waiting)


def undoing(make: Callable[[], Made], undo: Callable[[Made], object]) -> tuple[Made, Callable[[], None]]:
    """Return what `make` makes, and what to call once it needs no undoing any more.

    If a signal ends the process before, it is undone; none comes between the making and that promise.
    """
    with held():
        made = make()
        one = partial(undo, made)
        _run.undo.append(one)

    def forget() -> None:
        with suppress(ValueError):  # it is being undone
            _run.undo.remove(one)

    return made, forget


@contextmanager
def undone(make: Callable[[], Made], undo: Callable[[Made], object]) -> Iterator[Made]:
    """Have what `make` makes; `undo` it if a signal ends the process inside the block, and only then."""
    made, forget = undoing(make, undo)
    try:
        yield made
    finally:
        forget()


@contextmanager
def deferred() -> Iterator[None]:
    """Let the first signal wait for `check` inside the block, SIGUSR1 too; a second one ends the process.

    If nothing checked any more, the work was done before it could be stopped, but no other is begun.
    """
    if not _run.is_ours:
        yield
        return
    if _run.asked is not None:
        _end(_run.asked)
    earlier = signal.signal(signal.SIGUSR1, _handle)
    _run.is_deferred = True
    try:
        yield
    finally:
        _run.is_deferred = False
        signal.signal(signal.SIGUSR1, earlier)


def check() -> None:
    """Raise StopRequested if the work is to end, and has deferred that until now."""
    if _run.is_deferred and _run.asked is not None:
        raise StopRequested(_run.asked)


def asked() -> int | None:
    """Return the signal by which the work is to end that has deferred its end, if there is one."""
    return _run.asked if _run.is_deferred else None


def be_silent() -> None:
    """Say nothing of signals from now on: the process is one of several, and another says it."""
    _run.is_silent = True


@contextmanager
def hinted(hint: str) -> Iterator[None]:
    """Say how to go on to whoever ends the process inside the block."""
    earlier, _run.hint = _run.hint, hint
    try:
        yield
    finally:
        _run.hint = earlier


def _handle(number: int, _frame: Any) -> None:
    if _run.held:
        _run.waiting = number
    elif _run.is_deferred and _run.asked is None:
        _run.asked = number
        name = signal.Signals(number).name
        _say(f"{name}: saving what is done, after this step; once more to end at once", above=True)
    else:
        _end(number)


def _end(number: int) -> None:
    """End the process; what comes in the meantime ends it too, with what is left to undo."""
    while _run.undo:
        with suppress(Exception):  # what cannot be undone is no reason not to end
            _run.undo.pop()()
    said = ENDED.get(signal.Signals(number), signal.Signals(number).name)
    _say(f"{said}; {_run.hint}" if _run.hint else said)
    os._exit(exit_code(number))


def _say(text: str, *, above: bool = False) -> None:
    """Tell people; above a progress bar, its next picture would cover what is in its line."""
    if _run.is_silent:
        return
    with suppress(OSError):
        os.write(STDERR, f"{chr(10) * (above and os.isatty(STDERR))}{text}\n".encode())
