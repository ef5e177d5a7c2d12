"""Where a training writes: its checkpoint, its history beside it, and what it needs to go on after a stop."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from maskkit.artifacts.checkpoint import checkpoint_header, write_checkpoint
from maskkit.artifacts.draft import sha256_of
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.history import differences, refuse_other_finished, refuse_to_lose
from maskkit.artifacts.publishing import refuse_existing, write_whole
from maskkit.artifacts.trained import HISTORY
from maskkit.storage.address import Address, PathOrAddress
from maskkit.training.epochs import Epoch, to_csv
from maskkit.training.saved_state import SavedState, save_state

log = logging.getLogger(__name__)

Output = TypeVar("Output", Path, Address, PathOrAddress)

RESUME = ".resume"  # what is kept beside a checkpoint while it is being trained, and only then


class Place:
    """The files of one training, and what an earlier run has left of them.

    With `resume`, an interrupted training is gone on with, and a finished one is left; with `force`, all
    that there is may be replaced.
    """

    def __init__(self, output: PathOrAddress, *, resume: bool, force: bool) -> None:
        self.output, self.force, self._resume = output, force, resume
        self.state = resume_path(output)
        self.history = output.with_suffix(HISTORY)

    @cached_property
    def _replaces(self) -> frozenset[str]:
        """The sha256 of the checkpoint that may be replaced: as it was when that was forced."""
        if self.force:
            return frozenset({sha256_of(self.output)})
        return frozenset() if self.begun is None else self.begun.replaces

    @cached_property
    def begun(self) -> SavedState | None:
        """The state that an interrupted run has left, if it is gone on with."""
        goes_on = self._resume and not self.force and self.state.exists()
        return SavedState.read(self.state) if goes_on else None

    @cached_property
    def _trained(self) -> Record | None:
        """The record of the checkpoint that is there, if it may be what is wanted."""
        may_be = self._resume and not self.force and self.output.exists()
        return checkpoint_header(Source.open(str(self.output))).history[-1] if may_be else None

    @property
    def earlier(self) -> Record | None:
        """The record of the run that is gone on with, or that has finished."""
        return self._trained if self.begun is None else self.begun.record

    def is_finished(self, record: Record) -> bool:
        """Whether an earlier run has made all there is to make.

        Raises:
            MaskkitError: It has, but with other options or inputs.
        """
        if self._trained is None:
            return False
        if self.begun is not None and differences(self._trained, record):
            return False
        refuse_other_finished(self.output, self._trained, record)
        log.info("%s is finished already", self.output)
        return True

    def refuse_existing(self, record: Record) -> None:
        """Raise a MaskkitError if anything is there that may not be replaced."""
        self.refuse_leftovers()
        if self.begun is not None:
            self.begun.state_for(record)
        refuse_existing(self.output, force=self.force, known=self._replaces)

    def refuse_leftovers(self) -> None:
        """Raise a MaskkitError if what lies beside the checkpoint may not be replaced.

        That can be found out before anything is known of this training.
        """
        refuse_to_lose(self.state, "training", resume=self._resume, force=self.force)
        if not self.state.exists() and not (self._resume and self.output.exists()):
            refuse_existing(self.history, force=self.force)

    def save(self, record: Record, state: dict[str, Any]) -> None:
        """Save what is needed to go on after an interruption."""
        save_state(self.state, record, state, replaces=self._replaces)

    def write_history(self, history: Sequence[Epoch]) -> None:
        """Write a row per epoch."""
        write_whole(self.history, to_csv(history), force=True)

    def write_checkpoint(self, weights: Mapping[str, Tensor], header: Header) -> None:
        """Write the checkpoint; what another program has put there meanwhile is left."""
        write_checkpoint(self.output, weights, header, known=self._replaces)

    def clear(self) -> None:
        """Remove what a finished training needs no more."""
        self.state.unlink(missing_ok=True)


def resume_path(output: Output) -> Output:
    """Return the sibling file that `--resume` reads: `fold0.safetensors` has `fold0.resume`."""
    return output.with_suffix(RESUME)
