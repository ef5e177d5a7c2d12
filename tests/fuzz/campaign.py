"""Give readers many inputs, each within a time and an amount of memory, and count the endings."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import struct
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FrameType

from fuzz.readers import READERS, Reader
from maskkit.errors import MaskkitError

SECONDS = 5.0
MEMORY = 1 << 30  # bytes that an input may add to the largest that the process ever was
ADDRESSES = 12 << 30  # bytes that the process can map at all, so that a bomb fails before the machine does


class TooSlowError(Exception):
    """An input took more than its time."""


@dataclass
class Tally:
    """How inputs of a reader ended."""

    endings: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0  # seconds
    findings: dict[str, tuple[int, str]] = field(default_factory=dict)  # a number and trace of each kind


def made(name: str, seed: int, number: int) -> bytes:
    """Return an input by its number."""
    return READERS[name].make(Random(f"{name}-{seed}-{number}"))


def ending(reader: Reader, data: bytes, folder: Path) -> tuple[str, str]:
    """Return how reading ends: `result`, `error` or what it is instead, and its trace."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    try:
        with _limited():
            reader.read(data, folder)
        found, trace = "result", ""
    except MaskkitError:
        found, trace = "error", ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        found, trace = _kind(error), traceback.format_exc(limit=-6)
    if time.perf_counter() - started > SECONDS:
        found = "TooSlow"
    if (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 > MEMORY:
        found = "TooLarge"
    return found, trace


def _kind(error: BaseException) -> str:
    """Name an exception and the last place of ours that it went through."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "maskkit/" in frame.filename]
    frames = [frame for frame in ours if "/fuzz/" not in frame.filename] or ours
    place = f"{frames[-1].filename.rpartition('maskkit/')[2]}:{frames[-1].name}" if frames else "?"
    return f"{type(error).__name__} in {place}"


@contextmanager
def _limited() -> Iterator[None]:
    is_reading = True

    def stop(number: int, frame: FrameType | None) -> None:
        if is_reading:  # an alarm that comes late must not end whoever is next
            raise TooSlowError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        is_reading = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def run(name: str, seed: int, numbers: Sequence[int], begun: Path | None = None) -> Tally:
    """Read inputs by their numbers; `begun` is told of each before, should it be the process's last."""
    reader, tally = READERS[name], Tally()
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for count, number in enumerate(numbers):
            if count % 100 == 0:  # what a reader left there
                for path in Path(folder).iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            if begun is not None:
                begun.write_bytes(struct.pack("<q", number))
            data = made(name, seed, number)
            started = time.perf_counter()
            found, trace = ending(reader, data, Path(folder))
            tally.slowest = max(tally.slowest, time.perf_counter() - started)
            tally.endings[found] += 1
            if found not in ("result", "error"):
                tally.findings.setdefault(found, (number, trace))
    return tally


def limit_process() -> None:
    """Bound what the process can map, and keep what C libraries print from the terminal."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
