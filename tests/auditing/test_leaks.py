from __future__ import annotations

import numpy as np
import pytest
from auditing_data import Row, manifest_of, photos_of

from maskkit.auditing.leaks import duplicates_against, duplicates_inside, people_in_two_folds
from maskkit.imaging.duplicates import Duplicates


def pair(one: int, other: int, *, photos: int, bits: int = 0, is_exact: bool = True) -> Duplicates:
    return Duplicates(np.array([one]), np.array([other]), np.array([is_exact]), np.array([bits]), photos)


def in_folds(rows: list[Row]) -> list[Row]:
    return [{**row, "fold": int(row["person_id"]) % 2} for row in rows]


def test_a_person_in_two_folds_is_a_leak() -> None:
    rows = in_folds(photos_of(4))
    assert not list(people_in_two_folds(manifest_of(rows)))
    rows[8]["fold"] = 0
    (found,) = people_in_two_folds(manifest_of(rows))
    assert (found.kind, found.person, found.evidence, found.is_leak) == (
        "leak:person", "001", "in folds 0, 1", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("other", "has_folds", "kind", "severity"),
    [
        (7, False, "leak:people", "high"),  # another person, whom a split may put elsewhere
        (7, True, "leak:folds", "high"),
        (14, True, "duplicate:people", "medium"),  # in the same fold
        (6, True, "duplicate:labels", "medium"),  # the same person, another mask state
        (1, True, "duplicate", "low"),
    ],
)
def test_a_pair_is_reported_by_what_it_does_not_share(
    other: int, has_folds: bool, kind: str, severity: str
) -> None:
    rows = photos_of(4)
    manifest = manifest_of(in_folds(rows) if has_folds else rows)
    (found,) = duplicates_inside(manifest, pair(0, other, photos=28))
    assert (found.kind, found.severity) == (kind, severity)
    assert (found.person, found.row, found.other) == ("000", 0, rows[other]["path"])
    assert found.evidence.startswith("the same file")
    assert found.is_leak == kind.startswith("leak")


def test_near_photos_of_two_people_are_reported_and_of_one_person_only_copies() -> None:
    manifest = manifest_of(photos_of(4))
    (found,) = duplicates_inside(manifest, pair(0, 7, photos=28, bits=30, is_exact=False))
    assert found.evidence == (
        "30 of 256 bits apart, people 000 and 001, wear/male/under30 and wear/female/under30"
    )
    assert not list(duplicates_inside(manifest, pair(0, 1, photos=28, bits=30, is_exact=False)))
    assert list(duplicates_inside(manifest, pair(0, 1, photos=28, bits=9, is_exact=False)))


def test_a_photo_in_another_set_is_a_leak_and_pairs_within_it_are_its_own_matter() -> None:
    first, second, third = (manifest_of(photos_of(people)) for people in (2, 1, 3))
    pairs = Duplicates(
        np.array([3, 0, 15]), np.array([14 + 7 + 2, 1, 17]), np.ones(3, bool), np.zeros(3, int), 42
    )
    (found,) = duplicates_against(first, pairs, [second, third])
    assert (found.kind, found.row, found.other) == ("leak:against", 3, "000/mask3.jpg")
