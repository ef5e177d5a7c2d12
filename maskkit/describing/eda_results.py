"""What `maskkit eda` finds out about a set of photos, as values that pages and tables show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskkit.artifacts.columns import Bools, Ints
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
    """Pairs of one kind, such as those across people."""

    name: str  # what they have in common
    exact: int  # pairs of files with the same bytes
    near: int  # other pairs
    named: tuple[DuplicatePair, ...]  # some of them, the exact ones first, then the nearest


@dataclass(frozen=True)
class Twins:
    """Photos that are there more than once."""

    kinds: tuple[DuplicatePairs, ...]  # all pairs, then those inside one person, across people, and so on
    groups: int  # sets of photos that are linked by pairs
    photos: int  # photos in these sets


@dataclass(frozen=True)
class Pictures:
    """What the files are like."""

    look: PhotoProperties  # what can be read
    half: bool  # whether JPEGs were decoded at half their size
    faults: tuple[tuple[str, str], ...]  # path of each photo that cannot be read, and why
    twins: Twins  # exact and near duplicates


@dataclass(frozen=True)
class Eda:
    """What a set of photos is made of."""

    name: str  # of the set
    photos: int  # how many there are
    labelled: int  # photos whose class is known
    people: int | None  # of known identity; None if no person is known
    photos_without_person: (
        int  # photos without a known person; each counts as a person where people are counted
    )
    # Number of photos of a person, and how many people have it, ascending.
    per_person: tuple[tuple[int, int], ...]
    classes: Distribution | None  # people and photos by class; None if no class is known
    factors: tuple[Distribution, ...]  # the same by factor, of which a level is known
    tables: tuple[Distribution, ...]  # the same by pairs of factors
    traits: tuple[str, ...]  # factors that do not vary within people
    ages: tuple[Ages, ...]  # of numeric factors
    rare: Rare | None  # combinations of levels that few people have; None if no level is known
    # Photos that are no part of the set because `label` found them missing or broken, and why.
    left_out: tuple[tuple[str, str], ...]
    folds: Distribution | None  # photos and people by fold; None without a split
    pictures: Pictures | None  # what the files are like; None if they were not looked at

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = asdict(self)
        if self.rare is not None:
            for one, shown in zip(self.rare.found, plain["rare"]["found"], strict=True):
                shown["levels"] = dict(one.levels)
        return plain


def duplicate_pairs(
    name: str, chosen: Bools, pairs: Ints, is_exact: Bools, bits: Ints, names: Sequence[str]
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
