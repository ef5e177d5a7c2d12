"""How a run of the command line ends: its exit code, and what is said of failures that others raise."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from maskkit.cli.shell.standard_streams import STDOUT, silence_stdout
from maskkit.errors import MaskkitError, reason
from maskkit.stopping import exit_code

SHOWN = 60  # characters of a name that is too long
INTERRUPTED = exit_code(signal.SIGINT)
BROKEN_PIPE = exit_code(signal.SIGPIPE)


def end(code: int) -> NoReturn:
    """End the process, at once: a signal would find an interpreter half gone, and no handler."""
    code = _flushed() or code
    with suppress(Exception):
        atexit._run_exitfuncs()  # what libraries have left to send
    os._exit(code)


def _flushed() -> int:
    """Write what is still to be written on standard output; return an exit code if that fails."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        return BROKEN_PIPE
    except OSError as error:
        print(_cannot_print(error), file=sys.stderr)  # noqa: T201
        return MaskkitError.exit_code
    return 0


def acted_on(error: Exception) -> MaskkitError | None:
    """Return the error that a person can act on, also of a disk or a memory; None of a mistake of ours."""
    if isinstance(error, MaskkitError):
        return error
    if isinstance(error, OSError):
        return _of_files(error)
    return _no_memory(error) if is_of_memory(error) else None


def _of_files(error: OSError) -> MaskkitError:
    if error.errno == errno.ENAMETOOLONG:
        return _too_long(error)
    if error.filename == STDOUT:
        silence_stdout()  # it would be complained of again
        return _cannot_print(error)
    if error.filename is None and not _is_somewhere():
        return MaskkitError(
            "there is no folder that you are in",
            why="it was removed, and names of files are relative to it",
            fix="change to another folder, or give whole paths",
        )
    where = "a file" if error.filename is None else str(error.filename)
    return MaskkitError(
        f"cannot read or write {where}",
        why=(error.strerror or reason(error)).lower(),
        fix="check the path, what you may do there, and the free space",
    )


def _is_somewhere() -> bool:
    try:
        return bool(os.getcwd())  # noqa: PTH109
    except OSError:
        return False


def _cannot_print(error: OSError) -> MaskkitError:
    return MaskkitError(
        "cannot write to standard output",
        why=reason(error),
        fix="free some space, or send it elsewhere",
    )


def _too_long(error: OSError) -> MaskkitError:
    name = str(error.filename)
    return MaskkitError(
        f"cannot look for {name[:SHOWN]}..., whose name is too long",
        why="a name has at most 255 bytes, and a whole path some 4,096, on most disks",
        fix="check the name; a shorter one may be what was meant",
    )


def is_of_memory(error: BaseException) -> bool:
    """Whether memory was asked for in vain, by Python, NumPy or Arrow, or torch, which says it in words."""
    named = type(error).__name__ == "OutOfMemoryError"  # of a GPU; torch may not be loaded
    return isinstance(error, MemoryError) or named or "can't allocate memory" in str(error)


def _no_memory(error: Exception) -> MaskkitError:
    return MaskkitError(
        "there is not enough memory",
        why=reason(error) if str(error) else "what was asked for was not to be had",
        fix="give less at a time: a smaller --batch-size, fewer --workers or a smaller --size, "
        "where the command has them",
    )
