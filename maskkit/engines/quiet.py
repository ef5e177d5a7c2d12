"""Silence for libraries that write on standard output and standard error from C++, below Python's streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

STREAMS = (1, 2)


@contextmanager
def silenced() -> Iterator[None]:
    """Let all that is written on both streams inside the block be lost; errors that are raised are not."""
    kept = [os.dup(stream) for stream in STREAMS]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in STREAMS:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, copy in zip(STREAMS, kept, strict=True):
            os.dup2(copy, stream)
        for one in (*kept, nowhere):
            os.close(one)
