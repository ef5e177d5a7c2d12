"""What processes tell the first one while all of them work, each at its own pace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import torch.distributed as dist

from maskkit import stopping
from maskkit.processes.team import Alone, Team
from maskkit.stopping import StopRequested

STOP = "maskkit/stop"  # set where all are to stop
LOOK_EVERY = 0.1  # seconds


class Mail:
    """Messages to the first process of a team, and its word that all are to stop.

    Every process makes one at the same point. It is a context, in which the first process has the others stop
    if it ends by an error.
    """

    _made = 0

    def __init__(self, team: Alone) -> None:
        assert isinstance(team, Team)
        self.team, self.key = team, f"{STOP}/{Mail._made}"
        Mail._made += 1
        self._group = team.channel()
        self._arrived: SimpleQueue[Any] = SimpleQueue()
        for rank in range(1, team.world) if team.rank == 0 else ():
            Thread(target=self._receive, args=(rank,), name=f"mail-{rank}", daemon=True).start()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the first process listen inside the block; the others stop if it ends by an error."""
        try:
            yield
        except BaseException:
            self.stop_all()
            raise

    def send(self, message: Any) -> None:
        """Send a message to the first process; None is the last one."""
        with self.team.reached():
            dist.send_object_list([message], dst=0, group=self._group)

    def arrived(self) -> Iterator[Any]:
        """Yield what has arrived by now; raise an OtherEndedError if a process cannot be reached."""
        while (message := self._next(0.0)) is not None:
            yield message

    def wait(self) -> Any:
        """Wait for a message, and have all stop if this process is asked to end meanwhile."""
        while (message := self._next(LOOK_EVERY)) is None:
            if stopping.asked() is not None:
                self.stop_all()
        return message

    def _next(self, patience: float) -> Any:
        try:
            message = self._arrived.get(timeout=patience) if patience else self._arrived.get_nowait()
        except Empty:
            return None
        if isinstance(message, Exception):
            with self.team.reached():
                raise message
        return message

    def stop_all(self) -> None:
        """Have all processes stop."""
        self.team.store.set(self.key, str(stopping.asked() or 0))

    def check(self) -> None:
        """Raise a StopRequested if all are to stop."""
        if self.team.store.check([self.key]):
            raise StopRequested(int(self.team.store.get(self.key)))

    def _receive(self, rank: int) -> None:
        """Take in what a process sends, until its last message."""
        try:
            while True:
                one = list[Any]([None])
                dist.recv_object_list(one, src=rank, group=self._group)
                if one[0] is None:
                    return
                self._arrived.put(one[0])
        except Exception as error:
            self._arrived.put(error)
