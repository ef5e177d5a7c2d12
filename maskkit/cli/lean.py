"""What has to be said before NumPy and Arrow are loaded, so that a command over tables stays small.

Measured on a vote over five submissions of 12,600 rows, of which loading modules is nine tenths: without
this it takes twice the CPU time.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec

# The others load torch anyway.
COMMANDS = {"label", "crop", "split", "ensemble", "evaluate", "compare", "pseudo", "show"}


class _NoPandas:
    """A finder that finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("not needed", name=name)
        return None


def stay_lean() -> None:
    """Start no threads for matrix products, of which there are none, and keep Arrow from loading pandas.

    Arrow looks for pandas as soon as it is handed a Python value, in case it is a Series. Here it looks
    once, in vain; whoever asks for pandas by name still gets it. Should a later Arrow look again, the
    only loss is half a second.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(_NoPandas)
