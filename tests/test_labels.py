import json
import random
import unicodedata
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.checks import COLUMNS
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, RESERVED, Factor, LabelSpace
from maskkit.texts import composed

MASK, GENDER, AGE = HOME.factors


def test_the_home_tasks_class_is_mask_times_6_plus_gender_times_3_plus_age() -> None:
    assert len(HOME) == 18
    assert HOME.shape == (3, 2, 3)
    for mask, gender, age in product(range(3), range(2), range(3)):
        levels = (MASK.levels[mask], GENDER.levels[gender], AGE.levels[age])
        assert HOME.levels_of(mask * 6 + gender * 3 + age) == levels


def test_the_home_tasks_names_are_the_competitions_classes_in_order() -> None:
    assert HOME.names[:7] == [
        "wear/male/under30",
        "wear/male/30to59",
        "wear/male/60plus",
        "wear/female/under30",
        "wear/female/30to59",
        "wear/female/60plus",
        "incorrect/male/under30",
    ]
    assert HOME.names[17] == "none/female/60plus"


@pytest.mark.parametrize(
    ("age", "level"),
    [(0, 0), (29, 0), (29.999, 0), (30, 1), (30.0, 1), (59, 1), (59.999, 1), (60, 2), (60.5, 2), (120, 2)],
)
def test_an_age_at_a_cut_belongs_to_the_band_above(age: float, level: int) -> None:
    assert AGE.level_of(age) == level


@given(st.lists(st.integers(2, 5), min_size=1, max_size=4))
def test_classes_are_numbered_with_the_first_factor_counting_most(shape: list[int]) -> None:
    space = LabelSpace(
        tuple(Factor(f"f{at}", tuple(f"l{level}" for level in range(size))) for at, size in enumerate(shape))
    )
    everything = list(product(*map(range, shape)))
    for index, levels in enumerate(everything):
        assert space.levels_of(index) == tuple(f"l{level}" for level in levels)
    assert len(set(space.names)) == len(space)


def test_survives_the_way_through_a_header() -> None:
    assert LabelSpace.from_json(json.loads(json.dumps(HOME.to_json()))) == HOME


def test_survives_the_way_through_a_task_file() -> None:
    lines = []
    for factor in HOME.to_json()["factors"]:
        lines += ["[[factors]]", *(f"{key} = {json.dumps(value)}" for key, value in factor.items())]
    assert LabelSpace.from_toml("\n".join(lines)) == HOME


def test_a_task_file_may_describe_any_task() -> None:
    space = LabelSpace.from_toml(
        '[[factors]]\nname = "height"\nlevels = ["short", "tall"]\ncuts = [1.75]\n'
        '[[factors]]\nname = "Haarfarbe"\nlevels = ["blond", "schwarz", "weiß"]\n'
    )
    assert space.names[3] == "tall/blond"
    assert (space.factors[0].is_numeric, space.factors[1].is_numeric) == (True, False)
    assert space.factors[0].level_of(1.75) == 1


def test_names_of_a_task_file_are_composed() -> None:
    text = unicodedata.normalize("NFD", '[[factors]]\nname = "착용"\nlevels = ["미착용", "착용"]\n')
    assert LabelSpace.from_toml(text).factors == (Factor("착용", ("미착용", "착용")),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[factors]\n", "it is not TOML"),
        ("", "[[factors]] tables and nothing else"),
        ("factors = 3\n", "[[factors]] tables and nothing else"),
        ("factors = []\n", "one or more factors"),
        ('title = "x"\n[[factors]]\nname = "a"\nlevels = ["b", "c"]\n', "nothing else"),
        ('[[factors]]\nname = "a"\n', "a `name`, `levels`"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncolour = 1\n', "a `name`, `levels`"),
        ("factors = [3]\n", "a `name`, `levels`"),
        ('[[factors]]\nname = 1\nlevels = ["b", "c"]\n', "`name` is a text"),
        ('[[factors]]\nname = "a"\nlevels = "bc"\n', "`levels` a list of texts"),
        ('[[factors]]\nname = "a"\nlevels = [1, 2]\n', "`levels` a list of texts"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncuts = ["5"]\n', "`cuts` is a list of numbers"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncuts = 5\n', "`cuts` is a list of numbers"),
        ('[[factors]]\nname = "a"\nlevels = ["b"]\n', "two or more levels"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "b"]\n', "different names"),
        ('[[factors]]\nname = "a"\nlevels = ["b", ""]\n', "may not be empty"),
        ('[[factors]]\nname = "a/b"\nlevels = ["c", "d"]\n', "contain '/'"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c/d"]\n', "contain '/'"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncuts = [1, 2]\n', "divided by 1 ascending cuts"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c", "d"]\ncuts = [2, 1]\n', "divided by 2 ascending"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c", "d"]\ncuts = [2, 2]\n', "divided by 2 ascending"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncuts = [nan]\n', "ascending cuts"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncuts = [inf]\n', "ascending cuts"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\ncuts = [true]\n', "`cuts` is a list of numbers"),
        ('[[factors]]\nname = "a"\nlevels = ["b", "c"]\n' * 2, "different names"),
    ],
)
def test_a_task_file_that_makes_no_sense_is_refused_with_the_reason(text: str, expected: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        LabelSpace.from_toml(text)
    assert expected in caught.value.why


def _other(**changes: Any) -> LabelSpace:
    return LabelSpace((MASK, GENDER, replace(AGE, **changes)))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (LabelSpace((GENDER, MASK, AGE)), "factors mask, gender, age against gender, mask, age"),
        (LabelSpace((MASK, GENDER)), "factors mask, gender, age against mask, gender"),
        (_other(name="years"), "factors mask, gender, age against mask, gender, years"),
        (_other(cuts=(30, 58)), "cuts of age: [30, 60] against [30, 58]"),
        (
            _other(levels=("young", "30to59", "60plus")),
            "levels of age: under30, 30to59, 60plus against young, 30to59, 60plus",
        ),
        (
            LabelSpace((replace(MASK, levels=("none", "incorrect", "wear")), GENDER, AGE)),
            "levels of mask: wear, incorrect, none against none, incorrect, wear",
        ),
    ],
)
def test_names_the_first_difference(other: LabelSpace, expected: str) -> None:
    assert HOME.difference(other) == expected
    assert other.difference(HOME) is not None


def test_equal_spaces_do_not_differ() -> None:
    assert HOME.difference(LabelSpace.from_json(HOME.to_json())) is None


def test_whole_cuts_equal_the_same_cuts_with_a_point() -> None:
    assert HOME.difference(_other(cuts=(30.0, 60.0))) is None
    ages = [random.Random(0).uniform(0, 90) for _ in range(100)]
    assert [AGE.level_of(age) for age in ages] == [
        replace(AGE, cuts=(30.0, 60.0)).level_of(age) for age in ages
    ]


def test_reserves_the_names_of_the_manifest_columns() -> None:
    assert set(COLUMNS) == RESERVED
    with pytest.raises(MaskkitError, match="a factor 'fold'"):
        LabelSpace((Factor("fold", ("a", "b")),))


def test_refuses_more_classes_than_a_label_can_number() -> None:
    levels = tuple(str(index) for index in range(200))
    with pytest.raises(MaskkitError, match="40000 classes"):
        LabelSpace((Factor("a", levels), Factor("b", levels)))


# A task file has no NUL, and its names are composed, whatever form they are written in.
LETTERS = st.characters(codec="utf-8", exclude_characters="/\0")
TEXTS = st.text(LETTERS, min_size=1, max_size=6).map(composed)


@given(
    st.lists(TEXTS.filter(lambda name: name not in RESERVED), min_size=1, max_size=3, unique=True), st.data()
)
def test_a_printed_task_is_read_as_the_same_space(names: list[str], data: st.DataObject) -> None:
    numbers = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
    factors = []
    for name in names:
        levels = data.draw(st.lists(TEXTS, min_size=2, max_size=4, unique=True))
        size = len(levels) - 1
        cuts = data.draw(st.just([]) | st.lists(numbers, min_size=size, max_size=size, unique=True))
        factors.append(Factor(name, tuple(levels), tuple(sorted(cuts))))
    space = LabelSpace(tuple(factors))
    assert LabelSpace.from_toml(space.to_toml()) == space


def test_the_home_task_is_printed_as_a_person_would_write_it() -> None:
    assert HOME.to_toml().endswith(
        '[[factors]]\nname = "age"\nlevels = ["under30", "30to59", "60plus"]\ncuts = [30, 60]\n'
        "personal = true\n"
    )


def test_a_home_task_of_before_personal_factors_is_the_home_task_of_now() -> None:
    old = {"factors": [{**factor, "personal": False} for factor in HOME.to_json()["factors"]]}
    assert [factor.personal for factor in LabelSpace.from_json(old).factors] == [False, True, True]


def test_personal_is_true_or_false() -> None:
    factor = {"name": "hat", "levels": ["on", "off"], "personal": "yes"}
    with pytest.raises(MaskkitError, match="cannot be read"):
        LabelSpace.from_json({"factors": [factor]})
