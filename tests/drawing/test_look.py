import numpy as np

from maskkit.drawing.look import Look, look


def looks(*, gender: str, age: int, count: int = 200) -> list[Look]:
    return [look(np.random.default_rng(seed), gender=gender, age=age) for seed in range(count)]


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
