"""What a file of weights may not hold, since it would take far more memory than the file is large."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping

from torch import Tensor

# What torch unpickles as plain, though a number makes as many bytes of it.
MADE_OF_A_NUMBER = frozenset({"builtins.bytearray", "__builtin__.bytearray"})
SMALL = 1 << 20  # bytes that any file may come to


def why_packed(archive: zipfile.ZipFile) -> str | None:
    """Say what is wrong with an archive whose files are compressed: torch stores them as they are.

    It would also map them from the disk without unpacking, and take what is packed for numbers.
    """
    packed = [one for one in archive.infolist() if one.compress_type != zipfile.ZIP_STORED]
    return f"{packed[0].filename} in it is compressed, and torch compresses nothing" if packed else None


def why_made_up(names: Iterable[str]) -> str | None:
    """Say what is wrong with a pickle of these globals, if it could make bytes of a number."""
    named = MADE_OF_A_NUMBER.intersection(names)
    return (
        f"it holds a {min(named).rpartition('.')[2]}, of which a few bytes can make gigabytes"
        if named
        else None
    )


def why_inflated(content: object, size: int) -> str | None:
    """Say which tensor is larger than the file that holds it, as one that repeats a single number."""
    waiting, seen = [content], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tensor):
            taken = one.numel() * one.element_size()
            if taken > max(size, SMALL):
                return f"a tensor {tuple(one.shape)} takes {taken:,} bytes, and the file has {size:,}"
        elif isinstance(one, Mapping | list | tuple | set) and id(one) not in seen:
            seen.add(id(one))
            waiting += one.values() if isinstance(one, Mapping) else one
    return None
