from __future__ import annotations

from auditing_data import manifest_of, photos_of

from maskkit.auditing.findings import Proposal
from maskkit.auditing.people import contradictions, odd_numbers_of_photos, personal_factors


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
