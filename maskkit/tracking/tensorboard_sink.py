"""Runs as TensorBoard's event files, in a folder for each."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from maskkit.errors import MaskkitError
from maskkit.tracking.facts import RunFacts, plain

DIGITS = 8  # of a run's id in its folder's name: runs with other options stand beside each other
HEADLINE = ("best/macro_f1", "best/accuracy", "best/held_out_loss")  # columns of the tab "HParams"
BOTH_LOSSES = {"training": {"loss, training and held out": ["Multiline", ["train/loss$", "held_out/loss$"]]}}


class InTensorboard:
    """A sink that writes event files; see them with `tensorboard --logdir DIR`.

    Args:
        target: The folder of all runs.

    Raises:
        MaskkitError: It is none, or may not be written to.
    """

    def __init__(self, target: str) -> None:
        self.folder = Path(target).expanduser()
        _check_folder(self.folder)
        self._file: EventFile | None = None
        self._ends: Any = None

    def begin(self, facts: RunFacts) -> int:
        """Open a file that has readers drop what earlier files say of the epochs to come."""
        summary = _summary()
        folder = self.folder / facts.group / f"{facts.name}-{facts.id[:DIGITS]}"
        done = len(facts.history) if EventFile.any_in(folder) else 0
        self._file = EventFile(folder, first_step=done + 1)
        # What torch's `add_hparams` writes, in two parts: a run that is killed then has its hyperparameters.
        experiment, starts, self._ends = summary.hparams(plain(facts.options), dict.fromkeys(HEADLINE, 0.0))
        self._write(0, [experiment, starts, summary.custom_scalars(BOTH_LOSSES)])
        return done

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write a scalar each."""
        self._write(epoch, _scalars(values))

    def picture(self, epoch: int, name: str, image: Image) -> None:
        """Write an image."""
        pixels = np.asarray(image.convert("RGB"))  # (height, width, 3)
        self._write(epoch, [_summary().image(name, pixels, dataformats="HWC")])

    def final(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write the final numbers as scalars of the best epoch, where the tab "HParams" finds them."""
        self._write(0, [self._ends])
        self._write(
            epoch, _scalars(values)
        )  # last: should it fail and be made again, no number is there twice

    def close(self, *, finished: bool) -> None:
        """Leave the file: it is closed after every write, and a run that has final numbers has finished."""

    def _write(self, step: int, summaries: Iterable[Any]) -> None:
        assert self._file is not None  # `begin` comes first
        self._file.add(step, summaries)


def _scalars(values: Mapping[str, float]) -> list[Any]:
    summary = _summary()
    return [summary.scalar(name, value) for name, value in values.items()]


def _summary() -> Any:
    """Return what makes TensorBoard's summaries; its functions have no types."""
    from torch.utils.tensorboard import summary

    return summary


def _check_folder(folder: Path) -> None:
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise MaskkitError(
            f"--track tensorboard:{folder} cannot be written",
            why=f"{nearest} is not a folder you may write to",
            fix="give another folder",
        )


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
