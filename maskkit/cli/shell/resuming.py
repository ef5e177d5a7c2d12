"""What is said of runs that can be gone on with: the line that does it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from maskkit.artifacts.stopped import StoppedError
from maskkit.cli.shell.exiting import acted_on, is_of_memory
from maskkit.plain_text import printable
from maskkit.processes.launched import launch
from maskkit.stopping import hinted
from maskkit.storage.address import PathOrAddress

typed: ContextVar[tuple[str, Sequence[str]]] = ContextVar("typed", default=("maskkit", ()))


def resume_line() -> str:
    """Return the line that goes on with the command as it was typed."""
    command, words = typed.get()
    given = [word for word in words if word not in ("--force", "--resume")]
    line = printable(" ".join([f"{_started_by()}{command}", shlex.join([*given, "--resume"])]))
    return f"{line} (and the same standard input)" if "-" in given else line


def _started_by() -> str:
    """Return what starts several processes of a command; of hosts, it is known to the person alone."""
    one = launch()
    if one.world == 1:
        return ""
    return (
        f"torchrun --nproc-per-node {one.world} -m " if one.local_world == one.world else "torchrun ... -m "
    )


def line_instead_of(flag: str, options: Mapping[str, object]) -> str:
    """Return the line as it was typed, but with these options in the place of one that takes a value.

    If it was set by a recipe, only the options are returned.
    """
    command, words = typed.get()
    both = ((f"--{name.replace('_', '-')}", str(value)) for name, value in options.items())
    given = [word for pair in both for word in pair]
    places = [place for place, word in enumerate(words) if word.partition("=")[0] == flag]
    if not places:
        return shlex.join(given)
    taken = {*places, *(place + 1 for place in places if "=" not in words[place])}
    kept = [word for place, word in enumerate(words) if place not in taken and word != "--dry-run"]
    return printable(" ".join([command, shlex.join([*kept, *given])]))


@contextmanager
def resumable(*saved: PathOrAddress) -> Iterator[None]:
    """Say how to go on with what is done inside the block, if it ends before its end.

    `saved` are the files of what is done; if there is any, errors say it too.
    """
    line = resume_line()
    with hinted(f"go on with: {line}"):
        try:
            yield
        except StoppedError as error:
            error.fix = f"go on with: {line}"
            raise
        except Exception as error:
            found = acted_on(error)
            is_about_it = found is None or "--resume" in found.fix or "--force" in found.fix
            if found is None or is_about_it or not any(path.exists() for path in saved):
                raise
            # With other options it would be another run.
            then = "or free some, and" if is_of_memory(error) else "then"
            found.fix = f"{found.fix}; {then} go on with: {line}"
            raise found from error
