"""Where artifacts come from and go to: files, standard input, standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from maskkit.artifacts.publishing import Publication, refuse_existing, write_whole
from maskkit.cli.shell import terminal
from maskkit.cli.shell.pager import a_pager_reads
from maskkit.cli.shell.standard_streams import silence_stdout
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError, reason
from maskkit.plain_text import in_json, printable
from maskkit.storage.address import PathOrAddress, place_of

if TYPE_CHECKING:
    from maskkit.artifacts.files import Source

STREAM = "-"


def source(name: str | None, *, what: str, encoding: str | None = None) -> Source:
    """Open an input: a file, or standard input for `-` or for nothing where that is not a terminal.

    `encoding` is that of a table, if it is given.
    """
    import pyarrow as pa

    from maskkit.artifacts.files import Source

    if name is not None and name != STREAM:
        return Source.open(name, encoding=encoding)
    if sys.stdin is None or (name is None and stdin_is_terminal()):
        raise typer.BadParameter(f"give a {what}, or pipe one in", param_hint=what.upper())
    data = sys.stdin.buffer.read()
    if not data:
        raise MaskkitError(
            "standard input is empty",
            why="the command before it in the pipe wrote nothing, or there is none",
            fix=f"look at that command's message, or give a {what}",
        )
    return Source(STREAM, pa.py_buffer(data), encoding=encoding)


@dataclass(frozen=True)
class OutputTarget:
    """Where the artifact of -o goes."""

    path: PathOrAddress | None  # None for standard output
    # What it appears together with; None if it is alone.
    publication: Publication | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, name: str | None) -> OutputTarget:
        """Return where a name sends it: `-`, and none, to standard output."""
        return cls(None if name in (None, STREAM) else place_of(str(name)))

    def write(self, data: Any, *, announce: bool = True) -> None:
        """Write the artifact; a file's name is printed, so that `$(maskkit ...)` and xargs work.

        Not so with `announce=False`, for a command that prints something else there.
        """
        if self.path is None:
            write_bytes(memoryview(data))
            return
        _publish(self.path, data, self.publication, lambda: print_line(str(self.path)) if announce else None)


@dataclass(frozen=True)
class SideFile:
    """A file that is written beside what goes to standard output or -o."""

    path: PathOrAddress
    publication: Publication | None = field(default=None, repr=False, compare=False)

    def write(self, data: bytes, title: str) -> None:
        """Write it, and tell people under what title."""
        _publish(self.path, data, self.publication, lambda: terminal.note(f"{title} {self.path}"))


def _publish(
    path: PathOrAddress, data: Any, publication: Publication | None, then: Callable[[], None]
) -> None:
    """Write a file, which appears now or with others; `then` is called when it does."""
    if publication is None:
        write_whole(path, data)
        then()
    else:
        publication.add(path, data, then)


def refuse_terminal() -> None:
    """Raise if an artifact that is not text would be shown to a person."""
    if stdout_is_for_people():
        raise typer.BadParameter("give a file with -o, or pipe the output on", param_hint="-o")


def refuse(path: PathOrAddress, *, force: bool, known: Collection[str], inputs: Sequence[str | None]) -> None:
    """Raise if `path` is an input, or exists unasked, or cannot be written; as `refuse_existing`."""
    if any(
        given not in (None, STREAM) and place_of(str(given)).resolve() == path.resolve() for given in inputs
    ):
        raise MaskkitError(
            f"{path} is read by this command", why="inputs are never modified", fix="use another -o"
        )
    refuse_existing(path, force=force, known=known)


def stdin_is_terminal() -> bool:
    """Whether nothing is piped in; standard input is None if the shell closed it."""
    return sys.stdin is None or sys.stdin.isatty()


def stdout_is_terminal() -> bool:
    """Whether standard output is a terminal; it is None if the shell closed it."""
    return sys.stdout is not None and sys.stdout.isatty()


def stdout_is_for_people() -> bool:
    """Whether a person looks at standard output, on a terminal or by a pager."""
    return stdout_is_terminal() or (sys.stdout is not None and a_pager_reads())


def write_bytes(data: bytes | memoryview) -> None:
    """Write to standard output and see at once whether anyone still reads it."""
    work_begins()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise MaskkitError(
            "cannot write to standard output",
            why="it is closed, or was replaced by one that takes no bytes",
            fix="use -o FILE > /dev/null",
        )
    if stdout_is_terminal():  # where no text of a file may move the cursor, or worse
        text = bytes(data).decode("utf-8", "surrogateescape")
        data = printable(text, keep="\n\t").encode()
    try:
        sys.stdout.flush()
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()  # what is left in the buffer would be complained of again at exit
        raise MaskkitError(
            "cannot write to standard output",
            why=reason(error),
            fix="free some space, or use -o FILE on another disk",
        ) from error


def print_line(text: str) -> None:
    """Print one line on standard output, a file's name in its own bytes."""
    write_bytes(f"{text}\n".encode("utf-8", "surrogateescape"))


def as_json(data: Any) -> bytes:
    """Return data as JSON, and the end of its last line."""
    return (in_json(json.dumps(data, indent=2, ensure_ascii=False)) + "\n").encode()


def print_json(data: Any) -> None:
    """Print JSON on standard output."""
    write_bytes(as_json(data))


def print_tsv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print tab-separated values on standard output, one line per row; controls are escaped."""
    lines = ["\t".join(map(_cell, header)), *("\t".join(_cell(value) for value in row) for row in rows)]
    print_line("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(_cell, value))
    return printable(str(value).replace("\t", " ").replace("\n", " "))
