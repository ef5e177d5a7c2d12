"""TensorBoard's event file, each part of it written whole or not at all."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

NAME = "events.out.tfevents"  # by the last word TensorBoard knows its files; it reads them in order of names


class EventFile:
    """One file of a run's folder, which holds one for each part of a training that was gone on with.

    torch's SummaryWriter writes from a thread of its own, which a full disk ends for good, after the call
    that caused it and with half a record written. Here each call writes, raises what went wrong, and leaves
    nothing of what it could not write, so that it can be made again.

    Args:
        folder: The run's.
        first_step: What earlier files say of this step and later ones is not to be shown any more.
    """

    def __init__(self, folder: Path, *, first_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(path.suffix[1:]) for path in _numbered(folder)), default=0)
        self.path = folder / f"{NAME}.{number:06d}"
        start = SessionLog(status=SessionLog.START)
        self._append([Event(file_version="brain.Event:2"), Event(step=first_step, session_log=start)])

    @staticmethod
    def any_in(folder: Path) -> bool:
        """Whether a run has been written there before."""
        return bool(_numbered(folder))

    def add(self, step: int, summaries: Iterable[Any]) -> None:
        """Add summaries of one step.

        Raises:
            OSError: They cannot be written, and none of them is.
        """
        from tensorboard.compat.proto.event_pb2 import Event

        self._append([Event(step=step, summary=summary) for summary in summaries])

    def _append(self, events: Iterable[Any]) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        records = io.BytesIO()
        writer = RecordWriter(records)
        for event in events:
            event.wall_time = time.time()  # what TensorBoard's axis "relative" shows
            writer.write(event.SerializeToString())
        before = self.path.stat().st_size if self.path.exists() else 0
        try:
            with self.path.open("ab") as file:
                file.write(records.getbuffer())
        except OSError:
            with suppress(OSError):  # the first error says more
                os.truncate(self.path, before)
            raise


def _numbered(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{NAME}.*") if path.suffix[1:].isdecimal()]
