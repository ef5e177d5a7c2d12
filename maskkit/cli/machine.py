"""What has to be said to the process before torch is loaded, so that a small machine is used well.

Measured on 2 cores (AVX-512, no GPU), training tf_efficientnet_lite0 at 128x96, two epochs of 910 photos,
two runs each: 89-109 photos/s without this, 103-127 with it. With another busy process on the machine,
sleeping threads alone made 51-83 of 16-19 (single runs, load not controlled).
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h
LARGEST_INT = 2**31 - 1


def use_well() -> None:
    """Let torch's idle threads sleep, and keep freed memory.

    Threads wait for each other many times per step; spinning, they take the processor from the
    workers that decode the next photos. And each step frees and asks for the same gigabyte, which
    the kernel would have to clear page by page each time: a quarter of the time.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with suppress(OSError, AttributeError):  # other C libraries have no mallopt
        malloc_options = ctypes.CDLL(None).mallopt
        malloc_options(M_MMAP_MAX, 0)
        malloc_options(M_TRIM_THRESHOLD, LARGEST_INT)
