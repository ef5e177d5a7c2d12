from collections import Counter

import numpy as np
import pytest

from maskkit.drawing.people import Appearance, appearance, population


def looks(*, gender: str, age: int, count: int = 200) -> list[Appearance]:
    return [appearance(np.random.default_rng(seed), gender=gender, age=age) for seed in range(count)]


def test_tells_the_gender_by_no_single_cue() -> None:
    men, women = looks(gender="male", age=30), looks(gender="female", age=30)
    for cue in ("jaw", "brow", "lips", "lashes", "width"):
        his, hers = (np.array([getattr(one, cue) for one in group]) for group in (men, women))
        middle = (his.mean() + hers.mean()) / 2
        right = (np.mean(his > middle) + np.mean(hers < middle)) / 2
        assert 0.55 < max(right, 1 - right) < 0.95, cue
    assert {one.style for one in men} == {one.style for one in women}


def test_lets_women_grow_no_beard_and_some_men() -> None:
    assert {one.beard for one in looks(gender="female", age=40)} == {"none"}
    assert len({one.beard for one in looks(gender="male", age=40)}) == 5


def test_ages_without_a_step_at_sixty() -> None:
    wrinkles = {
        age: np.array([one.wrinkles for one in looks(gender="female", age=age)]) for age in (25, 58, 61)
    }
    assert wrinkles[25].max() < wrinkles[58].min()
    assert np.mean(wrinkles[58] > np.median(wrinkles[61])) > 0.2


def test_keeps_numbers_plain_so_that_planes_stay_float32() -> None:
    for value in vars(looks(gender="male", age=70, count=1)[0]).values():
        assert not isinstance(value, np.generic)


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
