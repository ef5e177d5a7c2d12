"""Commands in processes that are forked from one which has loaded what they need, and so begin at once.

Python does not begin anew in them, nor does `python -m maskkit`: a test of how those begin starts its own.

    with Forked("label", "train.csv", stdout=file, stderr=terminal) as command:
        os.killpg(command.pid, signal.SIGINT)
        assert command.wait() == 130
    code, printed, said = run_forked("label", "train.csv")
"""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

COMMAND = """
from maskkit.__main__ import main
main()
"""
OUTSIDE = (
    "pandas", "PIL.JpegImagePlugin", "pydantic.main", "pyarrow.dataset", "rich.progress", "rich.table",
    "scipy.stats", "jinja2", "typer.rich_utils",
)  # fmt: skip
LONGEST = 1 << 20  # of a request, in bytes


def load() -> None:
    """Load what commands load, so that a run begins at once; nothing that starts threads may be among it."""
    import maskkit

    for one in pkgutil.walk_packages(maskkit.__path__, "maskkit."):
        if not one.name.endswith("__main__"):
            import_module(one.name)
    for name in OUTSIDE:
        import_module(name)


class Forked:
    """A command in a process, and process group, of its own: one at a time.

    Args:
        words: As they are typed behind `maskkit`.
        stdout, stderr: Handles of open files; nothing can be read from standard input.
        cwd: The folder that it runs in.
        code: What is run instead of the command, and may end in it.
        environment: Variables that are set, beside those of the tests.
    """

    def __init__(
        self,
        *words: str,
        stdout: int,
        stderr: int,
        cwd: Path | None = None,
        code: str = COMMAND,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._server, _ = _started()
        wanted = {
            "words": words, "code": code, "cwd": str(cwd or Path.cwd()),
            "environment": {**os.environ, **(environment or {})},
        }  # fmt: skip
        socket.send_fds(self._server, [json.dumps(wanted).encode()], [stdout, stderr])
        self.pid = int(self._server.recv(64))
        self.code: int | None = None

    def wait(self) -> int:
        """Wait for its end; return its exit code, or the negative number of the signal that killed it."""
        if self.code is None:
            self.code = int(self._server.recv(64))
        return self.code

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def run_forked(*words: str, **how: Any) -> tuple[int, str, str]:
    """Run a command to its end; return its exit code, and what it wrote on standard output and error."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with Forked(*words, stdout=stdout.fileno(), stderr=stderr.fileno(), **how) as command:
            code = command.wait()
        stdout.seek(0)
        stderr.seek(0)
        return code, stdout.read().decode(), stderr.read().decode()


@cache
def _started() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start the process that others are forked from."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, "-m", "forked"]
    with theirs:
        return ours, subprocess.Popen(words, stdin=theirs.fileno(), cwd=Path(__file__).parent)


def stop() -> None:
    """End that process, if it was started."""
    if _started.cache_info().currsize:
        server, process = _started()
        server.close()
        process.wait()
        _started.cache_clear()


def _serve() -> None:
    """Fork a process for each request, and say its number, then its exit code."""
    load()
    client = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    while True:
        request, handles, *_ = socket.recv_fds(client, LONGEST, 2)
        if not request:
            return
        process = os.fork()
        if not process:
            client.close()
            _be(json.loads(request), handles)
        for handle in handles:
            os.close(handle)
        client.send(b"%d" % process)
        _, status = os.waitpid(process, 0)
        client.send(b"%d" % os.waitstatus_to_exitcode(status))


def _be(wanted: dict[str, Any], handles: list[int]) -> NoReturn:
    """Be the process of a command, to its end."""
    code = 1
    try:
        os.setsid()
        for target, handle in enumerate(handles, 1):
            os.dup2(handle, target)
            os.close(handle)
        os.chdir(wanted["cwd"])
        os.environ.clear()
        os.environ |= wanted["environment"]
        sys.argv = ["maskkit", *wanted["words"]]
        exec(wanted["code"], {"__name__": "__main__"})
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
