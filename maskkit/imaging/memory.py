"""How memory for pixels is had."""

from __future__ import annotations

import numpy as np


def keep_freed_memory() -> None:
    """Have glibc keep the memory of freed photos, instead of returning it to the kernel.

    It does so once it has seen a larger block freed. Mapping the planes of each photo anew would cost a
    quarter to a third of the time of drawing or reading it.
    """
    np.empty(31 * 2**20, np.uint8)
