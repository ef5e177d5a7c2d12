"""What `maskkit eda` finds out about a set of photos, as values that pages and tables show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.describing.groups import Distribution, Rare
from maskkit.describing.photo_properties import Ages, PhotoProperties

NAMED = 20  # pairs of each kind


@dataclass(frozen=True)
class DuplicatePair:
    """Two photos, and in how many of 256 bits their hashes differ; exact ones hold the same bytes."""

    one: str
    other: str
    bits: int
    is_exact: bool


@dataclass(frozen=True)
class DuplicatePairs:
    """Pairs of one kind, such as those across people.

    Args:
        name: What they have in common.
        exact: Pairs of files with the same bytes.
        near: Other pairs.
        named: Some of them, the exact ones first, then the nearest.
    """

    name: str
    exact: int
    near: int
    named: tuple[DuplicatePair, ...]


@dataclass(frozen=True)
class Twins:
    """Photos that are there more than once.

    Args:
        kinds: All pairs, then those inside one person, across people, and so on.
        groups: Sets of photos that are linked by pairs.
        photos: Photos in these sets.
    """

    kinds: tuple[DuplicatePairs, ...]
    groups: int
    photos: int


@dataclass(frozen=True)
class Pictures:
    """What the files are like.

    Args:
        look: What can be read.
        half: Whether JPEGs were decoded at half their size.
        faults: Path of each photo that cannot be read, and why.
        twins: Exact and near duplicates.
    """

    look: PhotoProperties
    half: bool
    faults: tuple[tuple[str, str], ...]
    twins: Twins


@dataclass(frozen=True)
class Eda:
    """What a set of photos is made of.

    Args:
        name: Of the set.
        photos: How many there are.
        labelled: Photos whose class is known.
        people: Of known identity; None if no person is known.
        alone: Photos without a known person; each counts as a person where people are counted.
        per_person: Number of photos of a person, and how many people have it, ascending.
        classes: People and photos by class; None if no class is known.
        factors: The same by factor, of which a level is known.
        tables: The same by pairs of factors.
        traits: Factors that do not vary within people.
        ages: Of numeric factors.
        rare: Combinations of levels that few people have; None if no level is known.
        left_out: Photos that are no part of the set because `label` found them missing or broken, and why.
        folds: Photos and people by fold; None without a split.
        pictures: What the files are like; None if they were not looked at.
    """

    name: str
    photos: int
    labelled: int
    people: int | None
    alone: int
    per_person: tuple[tuple[int, int], ...]
    classes: Distribution | None
    factors: tuple[Distribution, ...]
    tables: tuple[Distribution, ...]
    traits: tuple[str, ...]
    ages: tuple[Ages, ...]
    rare: Rare | None
    left_out: tuple[tuple[str, str], ...]
    folds: Distribution | None
    pictures: Pictures | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        if self.rare is not None:
            for one, shown in zip(self.rare.found, plain["rare"]["found"], strict=True):
                shown["levels"] = dict(one.levels)
        return plain


def duplicate_pairs(
    name: str,
    chosen: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    is_exact: NDArray[np.bool_],
    bits: NDArray[np.int64],
    names: Sequence[str],
) -> DuplicatePairs:
    """Describe the chosen pairs, (pairs,), given the rows of both photos, (pairs, 2), and all paths."""
    rows = np.flatnonzero(chosen)
    exact = int(is_exact[rows].sum())
    first = rows[np.lexsort((bits[rows], ~is_exact[rows]))][:NAMED]
    named = tuple(
        DuplicatePair(names[pairs[row, 0]], names[pairs[row, 1]], int(bits[row]), bool(is_exact[row]))
        for row in first
    )
    return DuplicatePairs(name, exact, len(rows) - exact, named)
