"""Runs as TensorBoard's event files, in a folder for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from maskkit.errors import MaskkitError
from maskkit.training.tracking.facts import RunFacts
from maskkit.training.tracking.plain import plain

DIGITS = 8  # of a run's id in its folder's name: runs with other options stand beside each other
HEADLINE = ("best/macro_f1", "best/accuracy", "best/held_out_loss")  # columns of the tab "HParams"


class InTensorboard:
    """A sink that writes event files; see them with `tensorboard --logdir DIR`.

    Args:
        target: The folder of all runs.
    """

    def __init__(self, target: str) -> None:
        self.folder = Path(target).expanduser()
        _check_folder(self.folder)
        self.writer: Any = None
        self._ends: Any = None

    def begin(self, facts: RunFacts) -> int:
        """Open a writer, whose first event lets readers drop what an earlier part wrote of the epochs to come."""
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        folder = self.folder / facts.group / f"{facts.name}-{facts.id[:DIGITS]}"
        done = len(facts.history) if any(folder.glob("events.out.tfevents.*")) else 0
        self.writer = SummaryWriter(str(folder), purge_step=done + 1)
        # What `add_hparams` writes, in two parts: a run that is killed has its hyperparameters all the same.
        experiment, starts, self._ends = hparams(plain(facts.options), dict.fromkeys(HEADLINE, 0.0))
        self.writer.file_writer.add_summary(experiment)
        self.writer.file_writer.add_summary(starts)
        losses = {"loss, training and held out": ["Multiline", ["train/loss$", "held_out/loss$"]]}
        self.writer.add_custom_scalars({"training": losses})
        self.writer.flush()
        return done

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write a scalar each."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()  # the writer's own thread raises here what went wrong in it, such as a full disk

    def picture(self, epoch: int, name: str, image: Image) -> None:
        """Write an image."""
        self.writer.add_image(name, np.asarray(image.convert("RGB")), epoch, dataformats="HWC")
        self.writer.flush()

    def final(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write the final numbers as scalars of the best epoch, where the tab "HParams" finds them."""
        self.numbers(epoch, values)
        self.writer.file_writer.add_summary(self._ends)

    def close(self, *, finished: bool) -> None:  # noqa: ARG002 - that it finished is in its final numbers
        """Close the file."""
        if self.writer is not None:
            self.writer.close()


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
