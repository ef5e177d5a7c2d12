"""Runs as TensorBoard's event files, in a folder for each."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from maskkit.errors import MaskkitError
from maskkit.tracking.facts import RunFacts, plain

DIGITS = 8  # of a run's id in its folder's name: runs with other options stand beside each other
HEADLINE = ("kept/macro_f1", "kept/accuracy", "kept/held_out_loss")  # columns of the tab "HParams"
BOTH_LOSSES = {"training": {"loss, training and held out": ["Multiline", ["train/loss$", "held_out/loss$"]]}}
NAME = "events.out.tfevents"  # by the last word TensorBoard knows its files; it reads them in order of names


class InTensorboard:
    """A sink that writes event files into a folder of all runs; see them with `tensorboard --logdir DIR`.

    A run's folder holds one for each part of a training that was gone on with. Records are tensorboard's own,
    but not its EventFileWriter, which torch's SummaryWriter uses too: that writes from a thread, which a full
    disk ends for good, after the call that caused it and with half a record written, and its file's name
    holds the host's. Here each call raises what went wrong, and leaves nothing of what it could not write, so
    that it can be made again.

    Raises:
        MaskkitError: The target is no folder, or may not be written to.
    """

    def __init__(self, target: str) -> None:
        self.folder = Path(target).expanduser()
        nearest = next(each for each in (self.folder, *self.folder.parents) if each.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK):
            raise MaskkitError(
                f"--track tensorboard:{self.folder} cannot be written",
                why=f"{nearest} is not a folder you may write to",
                fix="give another folder",
            )
        self._file = self.folder
        self._ends: Any = None

    def begin(self, facts: RunFacts) -> int:
        """Open a file that has readers drop what earlier files hold of the epochs to come."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        folder = self.folder / facts.group / f"{facts.name}-{facts.id[:DIGITS]}"
        folder.mkdir(parents=True, exist_ok=True)
        earlier = [int(path.suffix[1:]) for path in folder.glob(f"{NAME}.*") if path.suffix[1:].isdecimal()]
        done = len(facts.history) if earlier else 0
        self._file = folder / f"{NAME}.{1 + max(earlier, default=0):06d}"
        start = SessionLog(status=SessionLog.START)
        self._append(Event(file_version="brain.Event:2"), Event(step=done + 1, session_log=start))
        # What torch's `add_hparams` writes, in two parts: a run that is killed then has its hyperparameters.
        summary = _summary()
        experiment, starts, self._ends = summary.hparams(plain(facts.options), dict.fromkeys(HEADLINE, 0.0))
        self._write(0, experiment, starts, summary.custom_scalars(BOTH_LOSSES))
        return done

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write a scalar each."""
        self._write(epoch, *(_summary().scalar(name, value) for name, value in values.items()))

    def picture(self, epoch: int, name: str, image: Image) -> None:
        """Write an image."""
        pixels = np.asarray(image.convert("RGB"))  # (height, width, 3)
        self._write(epoch, _summary().image(name, pixels, dataformats="HWC"))

    def final(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write the final numbers as scalars of the best epoch, where the tab "HParams" finds them."""
        self._write(0, self._ends)
        self.numbers(epoch, values)  # last: should it fail and be made again, no number is there twice

    def close(self, *, finished: bool) -> None:
        """Leave the file: it is closed after every write, and a run that has final numbers has finished."""

    def _write(self, step: int, *summaries: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._append(*(Event(step=step, summary=summary) for summary in summaries))

    def _append(self, *events: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        records = io.BytesIO()
        writer = RecordWriter(records)
        for event in events:
            event.wall_time = time.time()  # what TensorBoard's axis "relative" shows
            writer.write(event.SerializeToString())
        before = self._file.stat().st_size if self._file.exists() else 0
        try:
            with self._file.open("ab") as file:
                file.write(records.getbuffer())
        except OSError:
            with suppress(OSError):  # the first error says more
                os.truncate(self._file, before)
            raise


def _summary() -> Any:
    """Return what makes TensorBoard's summaries; its functions have no types."""
    from torch.utils.tensorboard import summary

    return summary
