"""Signals that come in the middle of work, to a process that handles them as a command does."""

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from maskkit import stopping
from maskkit.progress import Item


def give_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let signals be handled as in a new process that runs a command: only SIGUSR1 is sent here."""
    run = stopping._Run()
    run.is_ours = True
    monkeypatch.setattr(stopping, "_run", run)


@dataclass(frozen=True)
class SignalIn:
    """Sends a signal when so many items of one piece of work have been taken; what work is shown by."""

    what: str
    after: int
    number: int = signal.SIGUSR1

    def __call__(self, items: Iterable[Item], _total: int, what: str) -> Iterator[Item]:
        for step, item in enumerate(items, 1):
            if (what, step) == (self.what, self.after):
                os.kill(os.getpid(), self.number)
            yield item
