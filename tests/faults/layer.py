"""The layer under all that Python does with files: it counts operations, and lets one of them go wrong.

Files that are opened by `open`, by `os.open` or under a temporary name all come through here, and so do
`os.replace`, `os.fsync` and the like. What C++ does with files by itself does not; by `strace`, nothing is
written in that way (docs/faults.md).

An operation is known by what it does, to which file, and how often that was done to this file before. So
threads that take turns in another order do the same operations, and a run has a fixed number of them.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from errno import EINTR, EIO, ENOSPC, errorcode
from typing import Any, Literal, TypeVar

Result = TypeVar("Result")
Kind = Literal[
    "open", "create", "read", "write", "truncate", "sync", "rename", "link", "unlink", "mkdir", "rmdir",
    "mode", "times", "lock", "exit",
]  # fmt: skip
Fault = Literal[
    "EIO", "EIO for good", "ENOSPC", "disk full", "EINTR", "short", "SIGKILL", "SIGKILL half-way", "pause"
]

# Python itself tries again after EINTR where a file is opened, read, written, synced or cut (PEP 475): what
# is left of it there is a short write.
FAULTS: Mapping[Kind, tuple[Fault, ...]] = {
    "open": ("EIO", "EIO for good", "SIGKILL"),  # an existing file to read, or a folder
    "create": ("EIO", "ENOSPC", "disk full", "SIGKILL"),  # or open an existing file to write
    "read": ("EIO",),
    "write": ("EIO", "ENOSPC", "disk full", "short", "SIGKILL", "SIGKILL half-way"),
    "truncate": ("EIO", "ENOSPC", "SIGKILL"),
    "sync": ("EIO", "ENOSPC", "SIGKILL"),
    "rename": ("EIO", "ENOSPC", "EINTR", "SIGKILL"),
    "link": ("EIO", "ENOSPC", "EINTR", "SIGKILL"),
    "unlink": ("EIO", "EINTR", "SIGKILL"),
    "mkdir": ("EIO", "ENOSPC", "EINTR", "SIGKILL"),
    "rmdir": ("EIO", "EINTR", "SIGKILL"),
    "mode": ("EIO", "SIGKILL"),
    "times": ("EIO", "EINTR", "SIGKILL"),
    "lock": ("EIO", "SIGKILL"),
    "exit": ("SIGKILL",),  # when all is done
}
NEED_SPACE = {"create", "write", "link", "mkdir"}
ERRORS = {"EIO": EIO, "EIO for good": EIO, "ENOSPC": ENOSPC, "disk full": ENOSPC, "EINTR": EINTR}
RANDOM = re.compile(
    r"(\.)[a-z0-9_]{8}(?=\.partial)|(/tmp)[a-z0-9_]{8}(?=/|$)"
)  # what `tempfile` puts into names


@dataclass(frozen=True)
class Operation:
    """One thing done with a file: the `number`th of its kind, from 1. A path begins with its root's name."""

    kind: Kind
    path: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.path} #{self.number}"


@dataclass(frozen=True)
class Injected:
    """An operation, and what goes wrong there."""

    operation: Operation
    fault: Fault


class Layer:
    """Counts what this process does with files under some folders, and logs it line by line."""

    def __init__(self, roots: Mapping[str, str], log: int, injected: Injected | None) -> None:
        self.roots = {os.path.realpath(folder) + "/": name for name, folder in roots.items()}
        self.log, self.injected = log, injected
        self.is_full = False  # from the fault on
        self.broken: set[str] = set()  # files that cannot be read from the fault on
        self.counts: Counter[tuple[Kind, str]] = Counter()
        self.turn = threading.Lock()
        self.write_log = os.write

    def name(self, path: object, dir_fd: int | None = None) -> str | None:
        """Return the name of a file or an open one, or None if it is under no root."""
        if isinstance(path, int):
            text = os.readlink(f"/proc/self/fd/{path}")
        else:
            text = os.fsdecode(path)  # type: ignore[arg-type]
            start = os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
            folder, last = os.path.split(os.path.join(start, text))
            text = os.path.join(os.path.realpath(folder), last)
        for folder, name in self.roots.items():
            if f"{text}/" == folder:
                return name or "."
            if text.startswith(folder):
                return RANDOM.sub(r"\1\2*", f"{name}{text.removeprefix(folder)}")
        return None

    def perform(
        self, kind: Kind, path: str | None, call: Callable[[], Result], *, given: Any = None
    ) -> Result:
        """Do an operation, unless it is the one that goes wrong; an error names the file as `given`."""
        return self.transfer(kind, path, b"", lambda _: call(), given=given)

    def transfer(
        self, kind: Kind, path: str | None, data: Any, call: Callable[[Any], Result], *, given: Any = None
    ) -> Result:
        """Do an operation that passes data on, all of it or a part, unless it is the one that goes wrong."""
        if path is None:
            return call(data)
        with self.turn:
            self.counts[kind, path] += 1
            operation = Operation(kind, path, self.counts[kind, path])
        injected = self.injected
        fault = injected.fault if injected is not None and injected.operation == operation else None
        self.is_full = self.is_full or fault == "disk full"
        self.broken |= {path} if fault == "EIO for good" else set()
        if self.is_full and kind in NEED_SPACE:
            fault = "disk full"
        if kind == "open" and path in self.broken:
            fault = "EIO for good"
        if fault in ("short", "SIGKILL half-way"):
            result = call(memoryview(data).cast("B")[: max(1, memoryview(data).nbytes // 2)])
        if fault in ("SIGKILL", "SIGKILL half-way"):
            self._note(operation, fault)
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "pause":
            os.kill(os.getpid(), signal.SIGSTOP)
            fault = None
        if fault in ERRORS:
            self._note(operation, fault)
            name = None if given is None or isinstance(given, int) else os.fspath(given)
            raise OSError(ERRORS[fault], os.strerror(ERRORS[fault]), name)
        try:
            result = result if fault == "short" else call(data)
        except OSError as error:
            self._note(operation, errorcode.get(error.errno or 0, "?"))
            raise
        self._note(operation, fault or "")
        return result

    def _note(self, operation: Operation, ended: str) -> None:
        line = "\t".join([operation.kind, operation.path, str(operation.number), ended])
        self.write_log(self.log, (line + "\n").encode("utf-8", "surrogateescape"))

    def install(self) -> None:
        """Take the place of the functions that reach files, in this process for good."""
        for name, kind in ON_PATHS.items():
            setattr(os, name, self._on_path(kind, getattr(os, name)))
        for name, kind in ON_OPEN_FILES.items():
            setattr(os, name, self._on_open_file(kind, getattr(os, name)))
        setattr(fcntl, "flock", self._on_open_file("lock", fcntl.flock))  # noqa: B010
        for name in ("write", "pwrite"):
            setattr(os, name, self._write(getattr(os, name)))
        setattr(os, "open", self._os_open(os.open))  # noqa: B010
        opened = self._open(io.open)
        for module in (io, builtins):
            setattr(module, "open", opened)  # noqa: B010

    def _on_path(self, kind: Kind, original: Callable[..., Result]) -> Callable[..., Result]:
        def call(path: Any, *rest: Any, **named: Any) -> Result:
            known = self._last(path, rest, named) if kind in ("rename", "link") else None
            name = known or self.name(path, named.get("dir_fd"))
            return self.perform(kind, name, lambda: original(path, *rest, **named), given=path)

        return call

    def _last(self, path: Any, rest: tuple[Any, ...], named: Mapping[str, Any]) -> str | None:
        """Name an operation on two paths by the second."""
        return self.name(rest[0] if rest else named.get("dst", path), named.get("dst_dir_fd"))

    def _on_open_file(self, kind: Kind, original: Callable[..., Result]) -> Callable[..., Result]:
        def call(file: Any, *rest: Any) -> Result:
            number = file if isinstance(file, int) else file.fileno()
            return self.perform(kind, self.name(number), lambda: original(number, *rest))

        return call

    def _write(self, original: Callable[..., int]) -> Callable[..., int]:
        def call(file: int, data: Any, *rest: Any) -> int:
            return self.transfer("write", self.name(file), data, lambda part: original(file, part, *rest))

        return call

    def _os_open(self, original: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            kind: Kind = "create" if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else "open"
            name = self.name(path, named.get("dir_fd"))
            return self.perform(kind, name, lambda: original(path, flags, *rest, **named), given=path)

        return call

    def _open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(
            file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None,
            errors: str | None = None, newline: str | None = None, closefd: bool = True, opener: Any = None,
        ) -> Any:  # fmt: skip
            name = self.name(file)
            if name is None:
                return original(file, mode, buffering, encoding, errors, newline, closefd, opener)
            how = mode.replace("b", "").replace("t", "")
            raw = _Raw(self, name, file, how, closefd=closefd, opener=opener)
            if not buffering:
                return raw
            size = buffering if buffering > 1 else os.fstat(raw.fileno()).st_blksize
            kind: Any = io.BufferedReader if how == "r" else io.BufferedWriter
            buffered = (io.BufferedRandom if "+" in how else kind)(raw, size)
            if "b" in mode:
                return buffered
            return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)

        return call


ON_PATHS: Mapping[str, Kind] = {
    "replace": "rename", "rename": "rename", "link": "link", "symlink": "link", "unlink": "unlink",
    "remove": "unlink", "mkdir": "mkdir", "rmdir": "rmdir", "truncate": "truncate", "chmod": "mode",
    "utime": "times",
}  # fmt: skip
ON_OPEN_FILES: Mapping[str, Kind] = {
    "fsync": "sync", "fdatasync": "sync", "ftruncate": "truncate", "fchmod": "mode",
}  # fmt: skip


class _Raw(io.FileIO):
    """A file as the system gives it, whose operations pass through the layer."""

    def __init__(self, layer: Layer, path: str, file: Any, mode: str, **named: Any) -> None:
        self.layer, self.path = layer, path
        if isinstance(file, int):
            super().__init__(file, mode, **named)
            return
        kind: Kind = "open" if mode == "r" else "create"
        begin = super().__init__
        layer.perform(kind, path, lambda: begin(file, mode, **named), given=file)

    def readall(self) -> bytes:
        return self.layer.perform("read", self.path, super().readall)

    def readinto(self, buffer: Any) -> int:
        take = super().readinto
        return self.layer.perform("read", self.path, lambda: take(buffer))

    def write(self, data: Any) -> int:
        return self.layer.transfer("write", self.path, data, super().write)

    def truncate(self, size: int | None = None) -> int:
        cut = super().truncate
        return self.layer.perform("truncate", self.path, lambda: cut(size))
