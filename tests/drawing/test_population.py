from collections import Counter

import pytest

from maskkit.drawing.population import population


def by_gender_and_band(people: int, *, at_least: int = 0) -> Counter[tuple[str, int]]:
    made = population(people, seed=3, at_least=at_least)
    return Counter((person.gender, (person.age >= 30) + (person.age >= 60)) for person in made)


def test_keeps_the_shares_of_the_competition() -> None:
    counts = by_gender_and_band(1000)
    assert counts == {
        ("female", 0): 270,
        ("female", 1): 282,
        ("female", 2): 48,
        ("male", 0): 180,
        ("male", 1): 188,
        ("male", 2): 32,
    }


@pytest.mark.parametrize("gender", ["male", "female"])
def test_has_enough_old_people_for_five_folds(gender: str) -> None:
    assert by_gender_and_band(150)[gender, 2] < 6 or gender == "female"  # else the guarantee shows nothing
    assert by_gender_and_band(150, at_least=6)[gender, 2] >= 6


def test_does_not_let_the_guarantee_crowd_out_the_young() -> None:
    assert by_gender_and_band(24, at_least=6)["male", 2] == 2


@pytest.mark.parametrize("people", [0, 1, 2, 5, 7, 13, 40, 60, 151])
def test_makes_as_many_people_as_asked_for(people: int) -> None:
    made = population(people, seed=0, first=11, at_least=6)
    assert [person.number for person in made] == list(range(11, 11 + people))


def test_mixes_genders_and_ages_in_the_order_of_numbers() -> None:
    first_half = population(100, seed=0)[:50]
    assert 10 < sum(person.gender == "male" for person in first_half) < 30
    assert 10 < sum(person.age < 30 for person in first_half) < 35


def test_gives_the_same_people_for_the_same_seed_only() -> None:
    assert population(8, seed=1) == population(8, seed=1)
    assert population(8, seed=1) != population(8, seed=2)


def test_names_people_by_six_digits() -> None:
    assert population(1, seed=0, first=42)[0].id == "000042"
