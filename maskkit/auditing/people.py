"""People whose own photos contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import encoded
from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.findings import Finding, Proposal, members
from maskkit.labels import Factor

# What at least this share of people share is meant to be so; the rest are findings.
AS_MEANT = 0.9
FEWEST_PEOPLE = 10  # of whom such a share says anything


def personal_factors(manifest: Manifest) -> list[Factor]:
    """Return the factors that do not change between photos of a person, such as gender and age.

    They are those with one value on all photos of nearly every person who has several.
    """
    return [factor for factor in manifest.space.factors if _is_personal(manifest, factor)]


def contradictions(manifest: Manifest) -> Iterator[Finding]:
    """Report people with two genders, ages, or other values of a personal factor.

    The value of most of a person's photos is proposed for the others, if there is one.
    """
    rows_of = members(manifest)
    for factor in personal_factors(manifest):
        codes, values = _values(manifest, factor)
        for person in np.flatnonzero(_varies(manifest, codes)).tolist():
            name = manifest.people.names[person]
            rows = np.array(list(rows_of(name)))
            rows = rows[codes[rows] >= 0]
            found, counts = np.unique(codes[rows], return_counts=True)
            told = ", ".join(f"{values[code]} ({count})" for code, count in zip(found, counts, strict=True))
            evidence = f"{factor.name} is {told}"
            usual = found[counts.argmax()]
            if (counts == counts.max()).sum() > 1:
                yield Finding("inconsistent:factor", "high", evidence, name, confidence=0.5)
                continue
            for row in rows[codes[rows] != usual].tolist():
                proposal = Proposal(factor.name, values[codes[row]], values[usual])
                share = float(counts.max() / counts.sum())
                yield Finding(
                    "inconsistent:factor", "high", evidence, name, row, proposal=proposal, confidence=share
                )


def odd_numbers_of_photos(manifest: Manifest) -> Iterator[Finding]:
    """Report people who do not have the photos that nearly everybody has, such as five, one and one.

    Counted are the photos of each level of the factors that change between photos. Nothing is
    reported if people have all kinds of numbers of photos.
    """
    known = manifest.known_people
    people = np.unique(known[known >= 0])
    if len(people) < FEWEST_PEOPLE:
        return
    personal = personal_factors(manifest)
    changing = [factor for factor in manifest.space.factors if factor not in personal]
    of_row, names = _combinations(manifest, changing)
    counts = np.zeros((len(manifest.people), len(names)), np.int64)
    part = known >= 0
    np.add.at(counts, (known[part], of_row[part]), 1)
    kinds, kind, sizes = np.unique(counts[people], axis=0, return_inverse=True, return_counts=True)
    usual = int(sizes.argmax())
    if sizes[usual] < AS_MEANT * len(people):
        return
    share = sizes[usual] / len(people)
    wanted = f"{share:.0%} of people have {_counted(kinds[usual], names)}"
    for person in people[kind.ravel() != usual].tolist():
        evidence = f"has {_counted(counts[person], names)}; {wanted}"
        yield Finding("inconsistent:photos", "medium", evidence, manifest.people.names[person])


def _is_personal(manifest: Manifest, factor: Factor) -> bool:
    if not manifest.has(factor.name):
        return False
    codes, _ = _values(manifest, factor)
    several = _people_with_several(manifest, codes)
    if several.sum() < FEWEST_PEOPLE:
        return False
    return float(1 - _varies(manifest, codes)[several].mean()) >= AS_MEANT


def _values(manifest: Manifest, factor: Factor) -> tuple[NDArray[np.int64], list[str]]:
    """Return each row's value as a code, (rows,), -1 for unknown, and the texts they stand for."""
    column = manifest.table[factor.name]
    codes, values = encoded(column)
    return codes.astype(np.int64), [
        f"{value:g}" if factor.is_numeric else str(value) for value in values.to_pylist()
    ]


def _people_with_several(manifest: Manifest, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    person = manifest.known_people
    part = (person >= 0) & (codes >= 0)
    return np.asarray(np.bincount(person[part], minlength=len(manifest.people)) > 1)


def _varies(manifest: Manifest, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each person has two different values, (people,)."""
    person = manifest.known_people
    part = (person >= 0) & (codes >= 0)
    least = np.full(len(manifest.people), np.iinfo(np.int64).max)
    most = np.full(len(manifest.people), -1)
    np.minimum.at(least, person[part], codes[part])
    np.maximum.at(most, person[part], codes[part])
    return np.asarray(most > least)


def _combinations(manifest: Manifest, factors: list[Factor]) -> tuple[NDArray[np.int64], list[str]]:
    """Number the combinations of these factors' levels; return each row's, (rows,), and their names.

    The last is for rows without a label.
    """
    known = manifest.labels >= 0
    levels = np.unravel_index(np.where(known, manifest.labels, 0), manifest.space.shape)
    code, names = np.zeros(len(manifest), np.int64), [""]
    for factor, level in zip(manifest.space.factors, levels, strict=True):
        if factor in factors:
            code = code * len(factor.levels) + level
            names = [f"{name}/{own}".strip("/") for name in names for own in factor.levels]
    return np.where(known, code, len(names)), [name or "labelled" for name in names] + ["unlabelled"]


def _counted(counts: NDArray[np.int64], names: list[str]) -> str:
    kinds = ", ".join(f"{count} {name}" for count, name in zip(counts, names, strict=True) if count)
    return f"{counts.sum()} photos ({kinds})"
