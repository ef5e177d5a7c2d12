from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from auditing_data import Row, manifest_of, photos_of

from maskkit.artifacts.checks import BOX
from maskkit.auditing.data_faults import (
    contradictions,
    duplicates_against,
    duplicates_inside,
    faceless,
    odd_numbers_of_photos,
    odd_photos,
    people_in_two_folds,
    personal_factors,
)
from maskkit.auditing.findings import Proposal
from maskkit.imaging.survey import PROPERTIES, Duplicates, Survey


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


def test_gender_and_age_are_personal_and_the_mask_is_not() -> None:
    assert [factor.name for factor in personal_factors(manifest_of(photos_of(12)))] == ["gender", "age"]


def test_people_without_contradictions_are_not_reported() -> None:
    manifest = manifest_of(photos_of(12))
    assert not [*contradictions(manifest), *odd_numbers_of_photos(manifest)]


def test_one_photo_of_another_gender_is_to_be_as_the_other_six() -> None:
    rows = photos_of(12)
    rows[9]["gender"] = "male"  # of a woman
    (found,) = contradictions(manifest_of(rows))
    assert (found.kind, found.person, found.row) == ("inconsistent:factor", "001", 9)
    assert found.evidence == "gender is male (1), female (6)"
    assert found.proposal == Proposal("gender", "male", "female")


def test_an_age_within_the_same_band_is_a_contradiction_too() -> None:
    rows = photos_of(12)
    rows[0]["age"] = 21
    (found,) = contradictions(manifest_of(rows))
    assert found.proposal == Proposal("age", "21", "20")


def test_nothing_is_proposed_where_the_votes_are_even() -> None:
    rows = [row for row in photos_of(12) if row["path"] != "003/mask1.jpg"]
    for row in rows[21:24]:
        row["gender"] = "male"
    (found,) = contradictions(manifest_of(rows))
    assert (found.person, found.row, found.proposal) == ("003", None, None)


def test_a_missing_photo_and_one_too_many_are_reported() -> None:
    rows = [row for row in photos_of(30) if row["path"] != "004/normal.jpg"]
    rows.append({**rows[0], "path": "000/more.jpg", "mask": "incorrect"})
    found = {one.person: one.evidence for one in odd_numbers_of_photos(manifest_of(rows))}
    usual = "; 93% of people have 7 photos (5 wear, 1 incorrect, 1 none)"
    assert found == {
        "000": "has 8 photos (5 wear, 2 incorrect, 1 none)" + usual,
        "004": "has 6 photos (5 wear, 1 incorrect)" + usual,
    }


def test_where_people_have_all_numbers_of_photos_none_is_odd() -> None:
    rows = [row for index, row in enumerate(photos_of(20)) if index % 3]
    assert not list(odd_numbers_of_photos(manifest_of(rows)))


def test_photos_of_nobody_are_passed_over() -> None:
    rows = photos_of(12)
    for row in rows[:7]:
        row["person_id"] = ""
    rows[0]["gender"] = "female"
    assert not [*contradictions(manifest_of(rows)), *odd_numbers_of_photos(manifest_of(rows))]


@pytest.fixture
def looks() -> np.ndarray:
    """What 28 ordinary photos look like."""
    random = np.random.default_rng(0)
    looks = np.zeros(28, PROPERTIES)
    looks["width"], looks["height"] = 384, 512
    looks["brightness"] = random.normal(0.5, 0.02, 28)
    looks["contrast"] = random.normal(0.25, 0.01, 28)
    looks["sharpness"] = random.lognormal(4, 0.2, 28)
    looks["mean"] = random.normal(0.5, 0.02, (28, 3))
    looks["std"] = random.normal(0.25, 0.01, (28, 3))
    return looks


def kinds(looks: np.ndarray, faults: dict[int, str] | None = None) -> list[tuple[str, int | None]]:
    found = odd_photos(manifest_of(photos_of(4)), Survey(looks, faults or {}, 2))
    return [(one.kind, one.row) for one in found]


def test_ordinary_photos_are_not_reported(looks: np.ndarray) -> None:
    assert kinds(looks) == []


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("brightness", 0.03, "photo:dark"),
        ("sharpness", 2.0, "photo:blurred"),
        ("width", 60, "photo:tiny"),
        ("contrast", 0.9, "photo:outlier"),
        ("mean", (0.5, 0.5, 0.95), "photo:outlier"),
    ],
)
def test_one_that_is_far_from_the_rest_is_reported_once(
    looks: np.ndarray, name: str, value: object, kind: str
) -> None:
    looks[name][11] = value
    assert kinds(looks) == [(kind, 11)]


def test_an_unreadable_photo_is_reported_and_not_measured(looks: np.ndarray) -> None:
    looks[5] = 0
    assert kinds(looks, {5: "cut off"}) == [("photo:unreadable", 5)]


def test_equal_photos_have_no_outliers(looks: np.ndarray) -> None:
    looks[:] = looks[0]
    assert kinds(looks) == []


def test_photos_without_a_box_are_faceless_if_faces_were_looked_for() -> None:
    manifest = manifest_of(photos_of(1))
    assert not list(faceless(manifest))
    boxes = pa.array([[0.1, 0.1, 0.9, 0.9]] * 6 + [None], BOX)
    (found,) = faceless(manifest.then("crop", {"box": boxes}))
    assert (found.kind, found.row, found.person) == ("photo:faceless", 6, "000")
