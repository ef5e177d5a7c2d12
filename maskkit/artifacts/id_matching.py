"""Which row has which id, also where another program wrote the id in another way.

A spreadsheet writes 142 for 000142, pandas 142.0 where a cell is missing, and macOS letters in another form
of Unicode. Such ids are matched if only one can be meant.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from maskkit.artifacts.columns import Ints
from maskkit.errors import MaskkitError

log = logging.getLogger(__name__)

NUMBER = r"^0*([0-9]+?)(\.0)?$"


def places_of(
    wanted: pa.ChunkedArray | pa.Array, among: pa.ChunkedArray | pa.Array, *, names: tuple[str, str]
) -> Ints:
    """Return the row of each id among others, (wanted,); -1 if none is of it. Neither has an id twice.

    `names` are those of both for messages.

    Raises:
        MaskkitError: Ids lost their leading zeros, and it is not known which are meant.
    """
    import pyarrow.compute as pc

    wanted, among = _chunked(wanted), _chunked(among)
    place = pc.fill_null(pc.index_in(wanted, value_set=among), -1)
    found: Ints = place.to_numpy().astype(np.int64)
    for key, how in ((_numbers, "leading zeros"), (_composed, "the form of Unicode")):
        missing = np.flatnonzero(found < 0)
        is_left = np.ones(len(among), np.bool_)
        is_left[found[found >= 0]] = False
        left = np.flatnonzero(is_left)
        if not len(missing) or not len(left):
            break
        keys, others = key(wanted.take(pa.array(missing))), key(among.take(pa.array(left)))
        if keys is None or others is None:
            continue
        place = pc.index_in(keys, value_set=others, skip_nulls=True)
        is_known = place.is_valid().to_numpy()
        if not is_known.any():
            continue
        meant = keys.filter(pa.array(is_known))
        _refuse_ambiguous(meant, (wanted, among), key, names=names)
        found[missing[is_known]] = left[place.drop_null().to_numpy()]
        row = int(missing[is_known][0])
        log.warning(
            "%d ids of %s differ from those of %s by %s alone, such as %s and %s: they are matched",
            is_known.sum(), names[0], names[1], how, wanted[row], among[int(found[row])],
        )  # fmt: skip
    return found


def _chunked(texts: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    return texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([texts])


def _numbers(ids: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the numbers of ids without zeros before them, null where an id is none; None if all are."""
    import pyarrow.compute as pc

    is_number = pc.match_substring_regex(ids, NUMBER)
    if not pc.any(is_number, min_count=0).as_py():
        return None
    return pc.if_else(is_number, pc.replace_substring_regex(ids, NUMBER, r"\1"), pa.scalar(None, pa.string()))


def _composed(ids: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return ids in NFC; None if all are ASCII."""
    import pyarrow.compute as pc

    if pc.all(pc.string_is_ascii(ids), min_count=0).as_py():
        return None
    return pc.utf8_normalize(ids, "NFC")


def _refuse_ambiguous(
    meant: pa.ChunkedArray,
    sides: tuple[pa.ChunkedArray, pa.ChunkedArray],
    key: Callable[[pa.ChunkedArray], Any],
    *,
    names: tuple[str, str],
) -> None:
    """Raise if several ids of one side are the same but for how they are written."""
    import pyarrow.compute as pc

    for ids, name in zip(sides, names, strict=True):
        keys = key(ids)
        alike = keys.filter(pc.is_in(keys, value_set=pc.unique(meant)))
        counts = alike.value_counts()
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        if len(twice):
            both = ids.filter(pc.fill_null(pc.equal(keys, twice[0]), False)).to_pylist()
            raise MaskkitError(
                f"it is not known which id {twice[0]} is: {name} has {' and '.join(both[:3])}",
                why=f"ids of {names[0]} and {names[1]} are written in different ways; a spreadsheet drops "
                "leading zeros",
                fix="write both with the ids as they were, as text",
            )
