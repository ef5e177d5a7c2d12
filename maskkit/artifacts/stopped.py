"""Runs that are stopped from outside, and save what they have done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maskkit.errors import MaskkitError
from maskkit.stopping import StopRequested, deferred, exit_code
from maskkit.storage.address import PathOrAddress


class StoppedError(MaskkitError):
    """The run was stopped, and what it has done is saved; the exit code is that of the signal."""


@contextmanager
def saved_if_stopped(
    path: PathOrAddress | None, save: Callable[[], object], *, reached: Callable[[], str] = lambda: ""
) -> Iterator[None]:
    """Let the first signal inside the block wait for `stopping.check`, then `save` what is done at `path`.

    `reached` says how far the run has come, such as " in epoch 2". Without a path nothing can be saved, and
    signals end the process at once.

    Raises:
        StoppedError: The run was stopped, and all it has done is saved.
        MaskkitError: It was stopped, and that could not be saved.
    """
    if path is None:
        yield
        return
    try:
        with deferred():
            yield
            return
    except StopRequested as request:
        stopped = request
    save()
    done = f"what is done is saved in {path}" if path.exists() else "nothing is done yet"
    error = StoppedError(
        f"stopped by {stopped.name}{reached()}",
        why=f"the process was asked to end; {done}",
        fix="go on with --resume",
    )
    error.exit_code = exit_code(stopped.number)
    raise error
