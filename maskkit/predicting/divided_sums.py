"""Predictions that several processes add up, each those of a share of the batches.

A batch is computed as a whole, as by one process, so that the sums are the same to the last bit. What the
others have finished reaches the first process as it comes, which keeps it beside what it has finished itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.modeling.device import resolve_device, threads_of
from maskkit.predicting.finished_rows import FinishedRows, Rows, Sums
from maskkit.predicting.members import Assignment, Members
from maskkit.processes.jobs import helped
from maskkit.processes.mail import Mail
from maskkit.processes.team import Alone, Team, shares_of
from maskkit.stopping import StopRequested, deferred

TOLD_EVERY = 1.0  # seconds, at least, between two messages of a process


@dataclass(frozen=True)
class _Finished:
    """What a process has predicted."""

    rows: Rows  # (N,)
    sums: Sums  # (N, C)


@dataclass(frozen=True)
class _Ended:
    """That a process has come to the end of its share, and how."""

    faults: dict[int, str]  # of photos that cannot be decoded, by row
    stopped: int | None = None  # the signal by which it was asked to end
    has_failed: bool = False


Tell = Callable[[_Finished], None]


def sums_by_all(
    members: Members,
    manifest: Manifest,
    work: Sequence[Assignment],
    *,
    progress: FinishedRows,
    faults: dict[int, str] | None = None,
) -> tuple[Sums, NDArray[np.bool_]]:
    """Add up the predictions of each photo as `Members.sums` does, with the help of all processes."""
    sums = np.zeros((len(manifest), len(manifest.space)))
    done = progress.read(sums)
    left = [replace(one, parts=one.unfinished(done)) for one in work]

    def add(finished: _Finished) -> None:
        new = ~done[finished.rows]  # of a batch, some may have been finished before
        rows, total = finished.rows[new], finished.sums[new]
        sums[rows], done[rows] = total, True
        progress.add(rows, total)

    share = _Share(members, manifest, left, is_tolerant=faults is not None)
    with helped(_help, share, threads=torch.get_num_threads()) as team:
        if team.world == 1:  # of a dry run
            return members.sums(manifest, work, progress=progress, faults=faults)
        mail = Mail(team)
        with mail.open(), _kept(progress):
            ended = _lead(share, team, mail, add)
        if faults is not None:
            for one in ended:
                faults |= one.faults
        progress.write()
        stopped = [one.stopped for one in ended if one.stopped is not None]
        if stopped:
            raise StopRequested(max(stopped))
    return sums, done


@contextmanager
def _kept(progress: FinishedRows) -> Iterator[None]:
    """Keep what is finished if another process ends."""
    try:
        yield
    except MaskkitError:
        progress.write()
        raise


def _lead(share: _Share, team: Alone, mail: Mail, add: Tell) -> list[_Ended]:
    """Predict the first share and take in the others; return how all have ended."""
    ended: list[_Ended] = []

    def take(message: _Finished | _Ended) -> None:
        if isinstance(message, _Finished):
            add(message)
            return
        ended.append(message)
        if message.has_failed:
            mail.stop_all()
            team.agree(is_stoppable=False)  # which raises what has happened
        if message.stopped is not None:
            mail.stop_all()

    def tell(finished: _Finished) -> None:
        add(finished)
        for message in mail.arrived():
            take(message)

    take(share.predicted(team, mail, tell))
    while len(ended) < team.world:
        take(mail.wait())
    return ended


def _help(team: Team, share: _Share, *, threads: int) -> None:
    """Predict a share, and tell the first process."""
    mail = Mail(team)
    with threads_of(threads), deferred():
        try:
            resolve_device(share.members.inference.device)
            ended = share.predicted(team, mail, mail.send)
        except Exception:
            mail.send(_Ended({}, has_failed=True))
            raise
        mail.send(ended)
        mail.send(None)


@dataclass(frozen=True)
class _Share:
    """What is left to predict, of which each process has a share."""

    members: Members
    manifest: Manifest
    work: Sequence[Assignment]
    is_tolerant: bool  # whether photos that cannot be decoded are left out

    def predicted(self, team: Alone, mail: Mail, tell: Tell) -> _Ended:
        """Predict this process's share, and `tell` what is finished."""
        own = [
            replace(one, parts=one.parts[slice(*shares_of(len(one.parts), team.world)[team.rank :][:2])])
            for one in self.work
        ]
        rows = np.sort(np.concatenate([one.own for one in own]))
        faults: dict[int, str] | None = {} if self.is_tolerant else None
        telling, stopped = _Telling(rows, tell, mail), None
        try:
            work = [one.among(rows) for one in own]
            self.members.sums(self.manifest.select(rows), work, progress=telling, faults=faults)
        except StopRequested as request:
            stopped = request.number
            telling.write()
        return _Ended({int(rows[row]): why for row, why in (faults or {}).items()}, stopped)


class _Telling(FinishedRows):
    """Finished rows that are sent to the first process, in place of a file."""

    def __init__(self, rows: Rows, tell: Tell, mail: Mail) -> None:
        self.rows, self.tell, self.mail = rows, tell, mail
        self.waiting: list[tuple[Rows, Sums]] = []
        self.last = time.monotonic()

    def read(self, sums: Sums) -> NDArray[np.bool_]:
        """Return that none is finished: those that are have been left out."""
        return np.zeros(len(sums), np.bool_)

    def add(self, rows: Rows, sums: Sums) -> None:
        """Remember the sums of these rows, (N, C), and tell them if it is time; end if all are to stop."""
        self.waiting.append((rows, sums))
        if time.monotonic() - self.last > TOLD_EVERY:
            self.write()
        self.mail.check()

    def write(self) -> None:
        """Tell what waits."""
        waiting, self.waiting = self.waiting, []
        self.last = time.monotonic()
        if waiting:
            rows = np.concatenate([rows for rows, _ in waiting])
            self.tell(_Finished(self.rows[rows], np.concatenate([sums for _, sums in waiting])))
