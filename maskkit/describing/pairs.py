"""Pairs of photos that are duplicates: how many, and between whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAMED = 20  # pairs of each kind


@dataclass(frozen=True)
class DuplicatePair:
    """Two photos, and in how many of 256 bits their hashes differ; exact ones hold the same bytes."""

    one: str
    other: str
    bits: int
    is_exact: bool


@dataclass(frozen=True)
class DuplicateKind:
    """Pairs of one kind, such as those across people.

    Args:
        name: Of the kind.
        exact: Pairs of files with the same bytes.
        near: Other pairs.
        named: Some of them, the exact ones first, then the nearest.
    """

    name: str
    exact: int
    near: int
    named: tuple[DuplicatePair, ...]


def kind(
    name: str,
    chosen: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    is_exact: NDArray[np.bool_],
    bits: NDArray[np.int64],
    names: Sequence[str],
) -> DuplicateKind:
    """Describe the chosen pairs.

    Args:
        name: Of the kind.
        chosen: Whether each pair is of it, (pairs,).
        pairs: Rows of both photos, (pairs, 2).
        is_exact: (pairs,).
        bits: (pairs,).
        names: Path of each photo.
    """
    rows = np.flatnonzero(chosen)
    exact = int(is_exact[rows].sum())
    first = rows[np.lexsort((bits[rows], ~is_exact[rows]))][:NAMED]
    named = tuple(
        DuplicatePair(names[pairs[row, 0]], names[pairs[row, 1]], int(bits[row]), bool(is_exact[row]))
        for row in first
    )
    return DuplicateKind(name, exact, len(rows) - exact, named)
