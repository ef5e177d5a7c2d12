"""What `maskkit eda` finds of a set of photos, and of two compared, as values that pages and tables show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from maskkit.describing.comparison import Difference, Share
from maskkit.describing.groups import Combination, Distribution
from maskkit.describing.histograms import Ages
from maskkit.describing.looks import PhotoLook
from maskkit.describing.pairs import DuplicateKind
from maskkit.describing.two_sample import TwoSample


@dataclass(frozen=True)
class Rare:
    """Combinations of levels that fewer than `under` people have.

    Args:
        under: How many people are enough.
        factors: Combinations of so many factors at most were counted.
        found: Few factors before more, few people before more. Of combinations that nobody has, those
            that contain a smaller one of that kind are left out.
    """

    under: int
    factors: int
    found: tuple[Combination, ...]


@dataclass(frozen=True)
class Twins:
    """Photos that are there more than once.

    Args:
        kinds: All pairs, then those inside one person, across people, and so on.
        groups: Sets of photos that are linked by pairs.
        photos: Photos in these sets.
    """

    kinds: tuple[DuplicateKind, ...]
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

    look: PhotoLook
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


@dataclass(frozen=True)
class Comparison:
    """How two sets of photos differ.

    Args:
        names: Of the two sets.
        photos: How many each has.
        faults: How many of them cannot be read.
        people: Names of people that are in both.
        differences: Of each property of the photos.
        sizes: Share of each set by width and height.
        formats: Share of each set by file format and colour mode.
        classes: Share of the labelled photos of each set by class; empty if a set has none.
        duplicates: Photos that are in both sets.
        two_sample: Whether a classifier tells the sets apart; None if they are too small.
        half: Whether JPEGs were decoded at half their size.
    """

    names: tuple[str, str]
    photos: tuple[int, int]
    faults: tuple[int, int]
    people: tuple[str, ...]
    differences: tuple[Difference, ...]
    sizes: tuple[Share, ...]
    formats: tuple[Share, ...]
    classes: tuple[Share, ...]
    duplicates: DuplicateKind
    two_sample: TwoSample | None
    half: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)
