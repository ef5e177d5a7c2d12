"""Join the parts that shards of a run have made."""

from __future__ import annotations

from collections.abc import Sequence

from maskkit.artifacts.files import Source
from maskkit.artifacts.shard_parts import joined, named
from maskkit.errors import MaskkitError


def join(parts: Sequence[Source]) -> Source:
    """Return the manifest or predictions that parts are together, as a run that is not divided makes it.

    A folder of them, or a pattern such as `parts/*.parquet`, is one source, joined as it was read.

    Raises:
        MaskkitError: One is no part, one lacks or is there twice, or they are of different runs.
    """
    whole = [one.title for one in parts if named(one.name) is not None]
    if not whole:
        return Source("-", joined(parts))
    if len(parts) > 1:
        raise MaskkitError(
            f"{whole[0]} stands for all its parts",
            why="beside it no other can be a part",
            fix="give the folder or the pattern alone, or the files",
        )
    return parts[0]
