"""What has to be said before NumPy and Arrow are loaded, so that a command over tables stays small.

Measured on a vote over five submissions of 12,600 rows, of which loading modules is nine tenths: without
this it takes twice the CPU time.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path


class _NoPandas:
    """A finder that finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("not needed", name=name)
        return None


def prepare_for_tables() -> None:
    """Start no threads for matrix products, of which there are none, and keep Arrow from loading pandas.

    Arrow looks for pandas as soon as it is handed a Python value, in case it is a Series. Here it looks
    once, in vain; whoever asks for pandas by name still gets it. Should a later Arrow look again, the
    only loss is half a second.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # whatever it was: the last bits of sums would depend on it
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(_NoPandas)


M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
LARGEST_INT = 2**31 - 1


def prepare_for_torch() -> None:
    """Let torch's idle threads sleep, and keep freed memory.

    Threads wait for each other many times per step; spinning, they take the processor from the
    workers that decode the next photos. And each step frees and asks for the same gigabyte, which
    the kernel would have to clear page by page each time: a quarter of the time.
    """
    Path.cwd()  # if there is none, that is an error here; oneMKL would end the process
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of NumPy, whose sums would depend on it; torch has its own
    os.environ["OMP_DYNAMIC"] = "false"  # else as many threads as the load leaves, and other sums
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with suppress(OSError, AttributeError):  # other C libraries have no mallopt
        malloc_options = ctypes.CDLL(None).mallopt
        malloc_options(M_MMAP_MAX, 0)
        malloc_options(M_TRIM_THRESHOLD, LARGEST_INT)
