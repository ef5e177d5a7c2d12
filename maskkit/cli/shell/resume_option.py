"""--resume of the commands that look at photos: what is kept beside the first file that they write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from maskkit.cli.shell import terminal
from maskkit.cli.shell.resuming import resumable
from maskkit.cli.shell.streams import STREAM, OutputTarget, SideFile, print_line, stdout_is_terminal
from maskkit.storage.address import PathOrAddress

if TYPE_CHECKING:
    from maskkit.artifacts.header import Record
    from maskkit.artifacts.resumable import Resumable


def refuse_without_file(resume: bool, *names: str | Path | None, flags: str = "-o") -> None:
    """Raise if there is no output beside which anything could be kept."""
    if resume and all(name in (None, STREAM) for name in names):
        raise typer.BadParameter(
            f"what is finished is kept beside a file: give one with {flags}", param_hint="--resume"
        )


@contextmanager
def kept_beside(
    *outputs: OutputTarget | SideFile | None, resume: bool, force: bool, is_piped: bool = False
) -> Iterator[Resumable]:
    """Work on what runs of these outputs have left, which goes when the block has made them.

    Should the block end before, the line that goes on is said; a FinishedError ends it, and people see that.
    With `is_piped`, standard output is for what no file holds: then a finished run ends it on a terminal
    only, and elsewhere all is done again.
    """
    from maskkit.artifacts.resumable import FinishedError, Resumable

    paths = [one.path for one in outputs if one is not None and one.path is not None]
    left = Resumable(
        paths, resume=resume, force=force, made_by=_made_by, does_again=is_piped and not stdout_is_terminal()
    )
    try:
        with nullcontext() if left.path is None else resumable(left.path):
            yield left
    except FinishedError:
        terminal.note(f"{paths[0]} is finished already")
        if isinstance(outputs[0], OutputTarget):
            print_line(str(paths[0]))
    else:
        left.clear()


def _made_by(path: PathOrAddress) -> Record | None:
    """Return the record of the run that has made a table or a page; None if nothing of that is in it."""
    assert isinstance(path, Path)  # --resume is refused for others
    with path.open("rb") as file:
        is_table = file.read(4) == b"PAR1"
    if is_table:
        from maskkit.artifacts.files import Source
        from maskkit.artifacts.parquet import read_header

        history = read_header(Source.open(path), kind=None).history
        return history[-1] if history else None
    from maskkit.reporting.html import made_by

    return made_by(path)
