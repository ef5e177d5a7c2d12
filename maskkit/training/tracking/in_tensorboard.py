"""Runs as TensorBoard's event files, in a folder for each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from maskkit.errors import MaskkitError
from maskkit.training.tracking.event_file import EventFile
from maskkit.training.tracking.facts import RunFacts
from maskkit.training.tracking.plain import plain

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
