"""The three standard streams, of which the shell may have closed any, and whose disks may be full.

Messages that nobody can read are no reason to lose work: writing to standard error never fails. Results that
nobody can read are one: writing to a closed standard output fails like any other writing.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from maskkit.stopping import STDERR

STDOUT = "standard output"
_silenced: list[TextIO] = []  # kept: where one is forgotten, Python 3.13 shows that it cannot be written out


class _Output(io.FileIO):
    """Writes, or raises an OSError that says where."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, STDOUT) from error


class _Closed(io.RawIOBase):
    """What standard output is if the shell closed it."""

    def writable(self) -> bool:
        return True

    def write(self, _: Any, /) -> int:
        raise OSError(errno.EBADF, "it is closed", STDOUT)


class _Messages(io.FileIO):
    """Writes if it can."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def lenient() -> tuple[TextIO, TextIO]:
    """Return standard output and standard error as this process is to have them.

    The numbers of closed streams are taken by nothing else: a file that was opened under that of standard
    error would get the messages of C libraries.
    """
    for _ in _closed():
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    output = _Closed() if sys.stdout is None else _Output(sys.stdout.fileno(), "wb", closefd=False)
    messages = _Messages(STDERR, "wb", closefd=False)
    return _text(output, sys.stdout), _text(messages, sys.stderr)


def _text(raw: io.RawIOBase, like: TextIO | None) -> TextIO:
    """Return a stream of text, in the encoding of the one that it replaces."""
    how: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
    if like is not None:
        how = {"encoding": like.encoding, "errors": like.errors}
    return io.TextIOWrapper(
        io.BufferedWriter(raw), **how, line_buffering=isinstance(raw, _Messages) or raw.isatty()
    )


def _closed() -> Iterator[int]:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            yield number


def silence_stdout() -> None:
    """Print nothing more, and let the process end without a complaint about what could not be printed."""
    _silenced.append(sys.stdout)
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - to the end of the process
