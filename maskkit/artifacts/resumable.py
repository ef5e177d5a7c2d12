"""The one rule of resuming, for stages that look at photos: begin, go on, see that all is done, or refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maskkit.artifacts.draft import sha256_of
from maskkit.artifacts.header import Record
from maskkit.artifacts.history import refuse_other_finished, refuse_to_lose
from maskkit.artifacts.progress_file import ProgressFile, begun_anew, progress_path
from maskkit.storage.address import PathOrAddress


class FinishedError(Exception):
    """There is nothing to do: what is to be made is there, of the same options and inputs."""


class Resumable:
    """What runs of some outputs have left: all of it, or what is finished of it beside the first.

    Args:
        outputs: The files that are made; while they are, progress is kept in `<first>.resume`, if that is on
            this machine.
        resume: Whether a run that was interrupted is gone on with, and a finished one is left.
        force: Whether both may be thrown away.
        made_by: Returns the record of the run that has made the first that is there, None if it has none.
        does_again: Whether a finished run is only compared with, and all is done again.
    """

    def __init__(
        self,
        outputs: Sequence[PathOrAddress] = (),
        *,
        resume: bool = False,
        force: bool = False,
        made_by: Callable[[PathOrAddress], Record | None] = lambda _: None,
        does_again: bool = False,
    ) -> None:
        self.outputs, self.resume, self.force = outputs, resume, force
        self.made_by, self.does_again = made_by, does_again
        self.finished: Record | None = None  # of the run that has made all, once that is known
        self.path = progress_path(outputs[0]) if outputs else None
        self._replaces = [sha256_of(path) for path in outputs] if force else []

    @property
    def may_be_finished(self) -> bool:
        """Whether all outputs are there, so that a run has to be compared with them."""
        goes_on = self.path is not None and self.path.exists()
        is_there = bool(self.outputs) and all(path.exists() for path in self.outputs)
        return self.resume and not self.force and is_there and not goes_on

    def refuse_finished(self, record: Record) -> None:
        """Raise if another run has finished; the record is that of this one.

        Raises:
            FinishedError: The other was of the same options and inputs.
            MaskkitError: It was not.
        """
        theirs = self.made_by(self.outputs[0]) if self.may_be_finished else None
        if theirs is None:
            return  # what is made is compared with it instead
        refuse_other_finished(self.outputs[0], theirs, record)
        if not self.does_again:
            self.finished = theirs
            raise FinishedError

    def begin(self, record: Record) -> ProgressFile:
        """Return what is kept of a run, to read and to add to.

        Raises:
            MaskkitError: It is of a run with other options or inputs, or would be thrown away unasked.
        """
        path = self.path
        if path is not None:
            refuse_to_lose(path, f"run of {record.stage}", resume=self.resume, force=self.force)
        if self.force:
            path = begun_anew(path)
        if path is None or (not path.exists() and self._is_compared):
            return ProgressFile(None, record)
        with ProgressFile(path, record) as kept:
            next(kept.blocks(), None)  # which refuses what another run has left, also if nothing is added
        return ProgressFile(path, record, replaces=self._replaces)

    @property
    def _is_compared(self) -> bool:
        """Whether what is there is left if it is what this run makes, and else refused at its end.

        Were progress kept of that, a next run would take what is there for what is to be refused at once.
        """
        return not self.force and any(path.exists() for path in self.outputs)

    def clear(self) -> None:
        """Remove what a finished run needs no more."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
