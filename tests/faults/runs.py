"""Commands, each in a process that is forked with all modules loaded, above the layer of `faults.layer`."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from faults.layer import Injected, Layer, Operation

LONGEST = 120.0  # seconds of a run; the longest takes two


@dataclass(frozen=True)
class Done:
    """An operation that was done, and how it ended: nothing, a fault or the name of an error."""

    operation: Operation
    ended: str


@dataclass(frozen=True)
class Ended:
    """How a run ended; the code is negative for a signal, and None if it took too long."""

    code: int | None
    stdout: bytes
    stderr: str
    done: Sequence[Done]


class Running:
    """A command in a process of its own, in a folder that gets `cache` and `tmp`; a context.

    What it does there and in `given` is noted. `constants` are set before, such as the rows of a block, so
    that a small run has several.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        given: Path,
        injected: Injected | None = None,
        constants: Mapping[str, object] | None = None,
    ) -> None:
        self.files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed at the exit
        stdout, stderr, log = (file.fileno() for file in self.files)
        sys.stdout.flush()
        sys.stderr.flush()
        self.process = os.fork()
        if not self.process:
            try:
                os.dup2(stdout, 1)
                os.dup2(stderr, 2)
                layer = Layer({"": str(folder), "given/": str(given)}, log, injected)
                _command(words, folder, layer, constants or {})
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(99)  # never back into the parent's code
        self.handle = os.pidfd_open(self.process)
        self.status: int | None = None

    def wait(self, seconds: float) -> bool:
        """Wait until it is over, so long at most; return whether it is."""
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        if self.status is None and poll.poll(seconds * 1000):
            _, self.status = os.waitpid(self.process, 0)
        return self.status is not None

    def wait_for_pause(self) -> bool:
        """Wait until it has paused or is over; return whether it has paused."""
        _, status = os.waitpid(self.process, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.status = status
        return self.status is None

    def go_on(self) -> None:
        """Let it go on after a pause."""
        os.kill(self.process, signal.SIGCONT)

    def ended(self) -> Ended:
        """Wait for it, and return how it ended."""
        is_over = self.wait(LONGEST)
        stdout, stderr, log = self.files
        for file in self.files:
            file.seek(0)
        lines = log.read().decode("utf-8", "surrogateescape").splitlines()
        code = os.waitstatus_to_exitcode(self.status or 0) if is_over else None
        return Ended(code, stdout.read(), stderr.read().decode("utf-8", "replace"), [*map(_done, lines)])

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.process, signal.SIGKILL)
            self.wait(LONGEST)
        os.close(self.handle)
        for file in self.files:
            file.close()


def run(
    words: Sequence[str],
    folder: Path,
    *,
    given: Path,
    injected: Injected | None = None,
    constants: Mapping[str, object] | None = None,
) -> Ended:
    """Run a command to its end."""
    with Running(words, folder, given=given, injected=injected, constants=constants) as running:
        return running.ended()


def _command(words: Sequence[str], folder: Path, layer: Layer, constants: Mapping[str, object]) -> NoReturn:
    """Be the process of a command, to its end."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in ("cache", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    os.chdir(folder)
    os.environ |= {"MASKKIT_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
    tempfile.tempdir = str(folder / "tmp")  # not the parent's, and not tried out by writing there
    os.cpu_count = lambda: 1  # threads only where a command cannot do without
    for name, value in constants.items():
        module, _, constant = name.partition(":")
        *parts, last = constant.split(".")
        holder = reduce(getattr, parts, import_module(module))
        if not hasattr(holder, last):
            raise LookupError(name)
        setattr(holder, last, value)
    from maskkit.cli import run as run_command
    from maskkit.cli.shell.exiting import end
    from maskkit.stopping import take_over

    sys.argv = ["maskkit", *words]
    layer.install()
    take_over()  # from here on as `maskkit.__main__` does
    code = run_command()
    layer.perform("exit", "", lambda: None)
    end(code)


def _done(line: str) -> Done:
    kind, path, number, ended = line.split("\t")
    return Done(Operation(kind, path, int(number)), ended)  # type: ignore[arg-type]
