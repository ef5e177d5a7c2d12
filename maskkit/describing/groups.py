"""People and photos per class, per level of a factor, and per combination of levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log, prod

import numpy as np

from maskkit.artifacts.columns import Ints, distinct
from maskkit.artifacts.manifest import NOT_IN_SPLIT, UNKNOWN, Manifest
from maskkit.labels import LabelSpace

BETA = 0.9999  # of the effective number, as `train --class-weights effective` uses it
MOST_CELLS = 200_000  # combinations of levels that are counted


@dataclass(frozen=True)
class Group:
    """The photos of one class, level or combination, and the people on them."""

    name: str  # of the class, the level, or the levels joined by `/`
    photos: int  # how many there are
    people: int  # who has one or more of them; a photo of an unknown person counts as a person
    # Their effective number (Cui et al. 2019, https://arxiv.org/abs/1901.05555, equation 2): the hundredth
    # photo of a class says less that is new than the first.
    effective_photos: float
    effective_people: float  # the same of the people
    photos_imbalance: float | None  # photos of the largest group over photos of this one; None if it has none
    people_imbalance: float | None  # the same of the people


@dataclass(frozen=True)
class Distribution:
    """How photos and people spread over groups."""

    name: str  # what the groups are levels of: `class`, a factor, or factors joined by ` x `
    groups: tuple[Group, ...]  # in the order of their levels
    shape: tuple[int, ...]  # number of levels of each factor; more than one is a table, the last the fastest
    unknown_photos: int  # photos of no group, because something about them is not known


@dataclass(frozen=True)
class Combination:
    """A combination of levels that few people have."""

    levels: tuple[tuple[str, str], ...]  # level names by factor
    people: int  # who has it
    photos: int  # how many show it


@dataclass(frozen=True)
class Rare:
    """Combinations of levels that fewer than `under` people have."""

    under: int  # how many people are enough
    factors: int  # combinations of so many factors at most were counted; all, unless there are very many
    # Few factors before more, few people before more. Combinations that nobody has are left out if they
    # contain a smaller one that nobody has.
    found: tuple[Combination, ...]


def distribution(
    name: str, names: Sequence[str], code: Ints, person: Ints, *, shape: Sequence[int]
) -> Distribution:
    """Count photos and people of each group, given the names of the groups.

    Each photo has the code of its group, below 0 if unknown, and that of its person, from 0, (photos,).
    """
    known = code >= 0
    both = [counts.tolist() for counts in _counts(code[known], person[known], len(names))]
    groups = tuple(
        Group(
            group,
            *counts,
            *map(effective_number, counts),
            *(max(each) / count if count else None for each, count in zip(both, counts, strict=True)),
        )
        for group, *counts in zip(names, *both, strict=True)
    )
    return Distribution(name, groups, tuple(shape), int((~known).sum()))


def effective_number(count: int, *, beta: float = BETA) -> float:
    """Return the effective number of samples, (1 - beta^n) / (1 - beta)."""
    return float(np.expm1(count * log(beta)) / (beta - 1))


def joint_code(levels: Ints, space: LabelSpace, chosen: Sequence[int]) -> tuple[Ints, list[str], list[int]]:
    """Number the combinations of some factors, chosen by index.

    Given is the level of each photo by factor, below 0 if unknown, (photos, factors).

    Returns:
        The combination of each photo, -1 if a level is unknown, (photos,); the combinations' names; and
        how many levels each factor has.
    """
    part = LabelSpace(tuple(space.factors[index] for index in chosen))
    code = np.zeros(len(levels), np.int64)
    for index in chosen:
        code = code * len(space.factors[index].levels) + levels[:, index]
    unknown = (levels[:, list(chosen)] < 0).any(axis=1)
    return np.where(unknown, -1, code), part.names, list(part.shape)


def traits(levels: Ints, person: Ints) -> list[int]:
    """Return the factors, by index, that do not vary within people: of each, a person has one level."""
    found = []
    for index in range(levels.shape[1]):
        known = levels[:, index] >= 0
        each = distinct(person[known] * (levels.max(initial=0) + 1) + levels[known, index])
        if known.any() and len(each) == len(distinct(person[known])):
            found.append(index)
    return found


def rare_combinations(levels: Ints, person: Ints, space: LabelSpace, *, under: int) -> Rare:
    """Find every combination of levels, of one factor or more, that fewer than `under` people have.

    A combination that contains one that nobody has is left out: nobody has it either. Given are the level
    of each photo by factor, below 0 if unknown, (photos, factors), and the person of each, from 0, (photos,).
    """
    found: list[Combination] = []
    absent: set[frozenset[tuple[int, int]]] = set()
    sizes = _sizes(space)
    for chosen in (subset for size in sizes for subset in combinations(range(len(space.factors)), size)):
        code, _, shape = joint_code(levels, space, chosen)
        known = code >= 0
        photos, people = _counts(code[known], person[known], prod(shape))
        for cell in np.flatnonzero(people < under).tolist():
            place = [int(level) for level in np.unravel_index(cell, shape)]
            pairs = frozenset(zip(chosen, place, strict=True))
            if people[cell] == 0 and any(pairs >= less for less in absent):
                continue
            if people[cell] == 0:
                absent.add(pairs)
            named = tuple(
                (space.factors[index].name, space.factors[index].levels[level])
                for index, level in zip(chosen, place, strict=True)
            )
            found.append(Combination(named, int(people[cell]), int(photos[cell])))
    found.sort(key=lambda one: (len(one.levels), one.people))  # stable: otherwise in the order of the levels
    return Rare(under, sizes[-1], tuple(found))


def _sizes(space: LabelSpace) -> list[int]:
    """Return 1, 2, ... up to the number of factors, as long as there are not too many combinations."""
    sizes, cells = [1], sum(space.shape)
    for size in range(2, len(space.factors) + 1):
        cells += sum(prod(shape) for shape in combinations(space.shape, size))
        if cells > MOST_CELLS:
            break
        sizes.append(size)
    return sizes


def _counts(code: Ints, person: Ints, groups: int) -> tuple[Ints, Ints]:
    """Return photos and people of each group, (groups,) both."""
    each = distinct(person * groups + code) % groups
    return np.bincount(code, minlength=groups), np.bincount(each, minlength=groups)


def fold_codes(manifest: Manifest) -> Ints:
    """Return the fold of each photo as a code, (photos,): 0 never held out, 1 fold 0, ...; -1 outside."""
    if not manifest.has("fold"):
        return np.full(len(manifest), UNKNOWN)
    return np.where(manifest.folds == NOT_IN_SPLIT, UNKNOWN, manifest.folds + 1)
