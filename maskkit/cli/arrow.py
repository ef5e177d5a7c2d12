"""What has to be said to Arrow before its first array, so that a small command stays small.

Arrow looks for pandas as soon as it is handed Python values, in case they are a Series. Nothing here
hands it one, and importing pandas takes longer than a vote over the competition's five submissions.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec


class _NoPandas:
    """A finder that finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("not needed", name=name)
        return None


def without_pandas() -> None:
    """Let Arrow look for pandas once, and in vain; whoever asks for it by name still gets it.

    Should a later Arrow look again, the only loss is the time.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(_NoPandas)
