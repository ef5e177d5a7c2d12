"""Silence for libraries that write on standard output and standard error from C++, below Python's streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

OUTPUT, ERRORS = 1, 2


@contextmanager
def silenced(*streams: int) -> Iterator[None]:
    """Let what is written on these streams, or on both, inside the block be lost; what is raised is not."""
    streams = streams or (OUTPUT, ERRORS)
    kept = [os.dup(stream) for stream in streams]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in streams:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, copy in zip(streams, kept, strict=True):
            os.dup2(copy, stream)
        for one in (*kept, nowhere):
            os.close(one)
