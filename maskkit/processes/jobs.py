"""The first process does the command, and the others help: they wait for jobs, and do them beside it.

So it alone reads artifacts, refuses, writes and talks, whatever the command; a job carries all that the
others need, but for photos.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from maskkit import stopping
from maskkit.dry_run import is_dry
from maskkit.errors import MaskkitError
from maskkit.processes.launched import launch
from maskkit.stopping import STDERR, StopRequested

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

    from maskkit.processes.team import Alone, Team

Given = ParamSpec("Given")

WORD = "maskkit/word"  # before the number of what the first process says: a job, or the end
SAID = "maskkit/said"  # that it has said how it ended
A_JOB, THE_END = "job", "end"
LOOK_EVERY = 0.05  # seconds between looks for a word
ITS_TURN = 2.0  # seconds that the first process has to say what has ended, if it still lives
FAILED = MaskkitError.exit_code


@cache
def _store() -> Store:
    """Return what processes find each other by; torchrun keeps it, whichever of them ends."""
    from datetime import timedelta

    from torch._C._distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=timedelta(hours=1)))
    # torchrun keeps it, with what earlier processes have said there, when it starts all of them again.
    return PrefixStore(f"{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{launch().world}", store)


@cache
def _team() -> Team:
    from maskkit.processes.team import Team

    return Team(launch(), _store())


class _Words:
    """How many words the first process has said."""

    count = 0


def _say(word: str) -> None:
    _store().set(f"{WORD}/{_Words.count}", word)
    _Words.count += 1


@contextmanager
def helped(
    job: Callable[Concatenate[Team, Given], None], *given: Given.args, **more: Given.kwargs
) -> Iterator[Alone]:
    """Have the other processes do a job, a function of a module, while the block runs; yield the team.

    They call `job(team, *given)`; where there are none, or nothing is to be done, the team is ALONE.

    Raises:
        MaskkitError: One of them fails, or has ended.
    """
    from maskkit.processes.team import ALONE

    if launch().world == 1 or is_dry():
        yield ALONE
        return
    _say(A_JOB)
    team = _team()
    with stopping.undone(bool, lambda _: _store().set(SAID, "")), team.together():
        team.same((job, given, more))
        yield team


def end_all() -> None:
    """Tell the other processes that all is done, whatever came of it."""
    if launch().world > 1:
        stopping.be_silent()  # all is said
        with suppress(Exception):  # if they cannot be reached, they have ended
            _store().set(SAID, "")
            _say(THE_END)


def help_first(again: str) -> int:
    """Help the first process until it ends, and return an exit code: 0, if what went wrong is not of here.

    `again` is the line that goes on with the command.
    """
    stopping.be_silent()
    warnings.simplefilter("ignore")
    messages = logging.getLogger("maskkit")
    messages.handlers, messages.propagate = [logging.NullHandler()], False
    try:
        for number in _numbers():
            if _word(number) == THE_END:
                return 0
            if (code := _do_job(again)) is not None:
                return code
    except RuntimeError:  # the store is gone: so is whoever could say why
        return FAILED
    raise AssertionError("numbers do not end")


def _numbers() -> Iterator[int]:
    while True:
        yield _Words.count
        _Words.count += 1


def _word(number: int) -> str:
    """Wait for a word; so that a signal ends the process, not inside the store."""
    key = f"{WORD}/{number}"
    while not _store().check([key]):
        time.sleep(LOOK_EVERY)
    return _store().get(key).decode()


def _do_job(again: str) -> int | None:
    """Do a job; return an exit code if this process can help no longer."""
    from maskkit.processes.team import OtherEndedError

    team = None
    try:
        team = _team()
        with team.together():
            job, given, more = team.same(_NOTHING)
            job(team, *given, **more)
    except OtherEndedError as error:
        with stopping.held():  # torchrun ends one after the other
            return _last_words(error, again)
    except (MaskkitError, StopRequested) as error:
        if team is None or team.is_torn:
            return _own_words(str(error))
    except Exception:
        # What failed here is known to the first process, but not where.
        _own_words(traceback.format_exc())
        if team is None or team.is_torn:
            return FAILED
    return None


_NOTHING: tuple[Any, Any, Any] = (None, (), {})


def _last_words(error: MaskkitError, again: str) -> int:
    """Say what has ended unless the first process does; if it is that one, one of the others has to."""
    until = time.monotonic() + ITS_TURN
    with suppress(RuntimeError):
        while time.monotonic() < until:
            if _store().check([SAID]):
                return FAILED
            time.sleep(LOOK_EVERY)
        if _store().add(f"{SAID}/by", 1) > 1:
            return FAILED
    error.what = "the first process of this command has ended"
    error.fix = f"see what torchrun says of it; go on with: {again}"
    return _own_words(str(error))


def _own_words(text: str) -> int:
    name = f"{launch().name}: "
    with suppress(OSError):
        os.write(STDERR, f"{name}{text.rstrip()}\n".encode())
    sys.stderr.flush()
    return FAILED
