from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.errors import MaskkitError
from maskkit.options import techniques
from maskkit.options.choices import (
    Choice,
    Setting,
    Table,
    example,
    parse,
    parse_sum,
    setting,
    settings,
)

TABLE: Table = {
    "plain": {},
    "curved": {
        "gamma": Setting(2.0, "how steep", 0, 20),
        "steps": Setting(3, "how many", 1),
        "is_up": Setting(True, "which way"),
        "partner": Setting("", "who with"),
    },
}
TABLES = {
    name: value
    for name, value in vars(techniques).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, dict)
}


def test_reads_a_name_with_its_defaults() -> None:
    assert parse("plain", TABLE, option="--shape") == Choice("plain", {})
    assert parse("curved", TABLE, option="--shape").settings == {
        "gamma": 2.0, "steps": 3, "is_up": True, "partner": "",
    }  # fmt: skip


def test_reads_settings_as_the_types_of_their_defaults() -> None:
    choice = parse("curved:gamma=3,steps=7,is_up=no,partner=age=60plus", TABLE, option="--shape")
    assert choice.settings == {"gamma": 3.0, "steps": 7, "is_up": False, "partner": "age=60plus"}
    assert isinstance(choice.settings["gamma"], float)
    assert (choice.number("gamma"), choice.whole("steps")) == (3.0, 7)


def test_a_sum_is_divided_at_each_plus_before_a_name() -> None:
    choices = parse_sum("curved:gamma=1e+1+plain", TABLE, option="--shape")
    assert [choice.name for choice in choices] == ["curved", "plain"]
    assert choices[0].settings["gamma"] == 10


@given(gamma=st.floats(0, 20), steps=st.integers(1, 10**9), is_up=st.booleans())
def test_what_is_written_is_read_as_the_same(gamma: float, steps: int, is_up: bool) -> None:
    choice = Choice("curved", {"gamma": gamma, "steps": steps, "is_up": is_up, "partner": "mask=wear"})
    assert parse(str(choice), TABLE, option="--shape") == choice


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("curvd", ["--shape", "'curvd'", "plain, curved", "did you mean curved?"]),
        ("", ["--shape", "plain, curved"]),
        ("plain:gamma=1", ["no setting 'gamma'", "it has none"]),
        ("curved:gama=1", ["no setting 'gama'", "gamma, steps, is_up, partner", "curved:gamma=2"]),
        ("curved:gamma=x", ["gamma=x", "a number from 0 to 20", "how steep"]),
        ("curved:gamma=21", ["a number from 0 to 20"]),
        ("curved:gamma=-1", ["a number from 0 to 20"]),
        ("curved:gamma=nan", ["a number from 0 to 20"]),
        ("curved:gamma", ["a number from 0 to 20"]),
        ("curved:steps=1.5", ["a whole number from 1"]),
        ("curved:steps=0", ["a whole number from 1"]),
        ("curved:is_up=maybe", ["one of true, yes, false, no"]),
    ],
)
def test_says_what_is_allowed(text: str, says: list[str]) -> None:
    with pytest.raises(MaskkitError) as caught:
        parse(text, TABLE, option="--shape")
    for words in says:
        assert words in str(caught.value)


def test_a_sum_names_each_choice_once() -> None:
    with pytest.raises(MaskkitError, match="plain twice"):
        parse_sum("plain+curved+plain", TABLE, option="--shape")


def test_names_that_are_not_in_the_table_may_have_settings_of_their_own() -> None:
    choice = parse("lion:gamma=1", TABLE, option="--shape", others=TABLE["curved"])
    assert choice.settings == {**parse("curved", TABLE, option="--shape").settings, "gamma": 1}
    assert parse("plain", TABLE, option="--shape", others=TABLE["curved"]).settings == {}


@dataclass(frozen=True)
class Bent:
    gamma: float = setting(2.0, "how far", 0, 9)
    steps: int = setting(3, "how often", 1)


def test_settings_of_a_part_are_read_with_their_names_and_the_others_are_left() -> None:
    table = {"bent": {**settings(Bent), "is_up": Setting(True, "whether up")}}
    choice = parse("bent:steps=5", table, option="--shape")
    assert choice.part(Bent) == Bent(gamma=2.0, steps=5)
    assert choice.beside(Bent) == {"is_up": True}


@pytest.mark.parametrize(
    "table", [name for name in TABLES if name not in ("ANY_OPTIMIZER", "MODEL", "SIZE", "TEACHER")]
)
def test_every_technique_can_be_written_with_its_defaults(table: str) -> None:
    for name, known in TABLES[table].items():
        choice = parse(example(name, known), TABLES[table], option="--any")
        assert choice == parse(name, TABLES[table], option="--any")
        for one in known.values():
            assert one.help
            if not isinstance(one.default, bool | str):
                assert one.minimum is not None
                assert one.minimum <= one.default
                assert one.maximum is None or one.default <= one.maximum
