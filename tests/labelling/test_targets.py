from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest

from maskkit.errors import MaskkitError
from maskkit.labelling.targets import TargetRules
from maskkit.labels import HOME, Factor, LabelSpace

TWO = LabelSpace(
    (
        Factor("height", ("short", "tall"), cuts=(1.7,)),
        Factor("hat", ("yes", "no")),
        Factor("cold", ("frost", "mild", "warm"), cuts=(0, 20)),
    )
)


def home(ages: Sequence[int | None]) -> pa.Table:
    bands = [None if age is None else 3 + HOME.factors[2].level_of(age) for age in ages]  # wear, female
    return pa.table(
        {
            "mask": ["wear"] * len(ages),
            "gender": ["female"] * len(ages),
            "age": pa.array(ages, pa.int16()),
            "label": pa.array(bands, pa.int16()),
            "target": pa.array(bands, pa.int16()),
            "weight": pa.array(np.ones(len(ages), np.float32)),
        }
    )


def test_other_cuts_change_the_target_and_not_the_label() -> None:
    before = home([29, 30, 57, 58, 59, 60, 80])
    after = TargetRules(train_cuts={"age": [30, 58]}).applied(before, HOME)
    assert after["target"].to_pylist() == [3, 4, 4, 5, 5, 5, 5]
    assert after.drop_columns(["target"]).equals(before.drop_columns(["target"]))
    assert after.schema == before.schema


def test_a_row_without_a_number_or_a_label_keeps_its_target() -> None:
    table = home([59, None, 59])
    labels = pa.array([4, 4, None], pa.int16())
    table = table.set_column(3, "label", labels).set_column(4, "target", labels)
    after = TargetRules(train_cuts={"age": [30, 58]}).applied(table, HOME)
    assert after["target"].to_pylist() == [5, 4, None]


def test_each_numeric_factor_has_its_own_cuts_wherever_it_stands() -> None:
    index = TWO.names.index("short/no/mild")
    table = pa.table({"height": [1.65], "hat": ["no"], "cold": [5], "target": pa.array([index], pa.int16())})
    after = TargetRules(train_cuts={"cold": [6, 20], "height": [1.6]}).applied(table, TWO)
    assert after["target"].to_pylist() == [TWO.names.index("tall/no/frost")]


@pytest.mark.parametrize(
    ("cuts", "what", "why"),
    [
        ({"years": [30]}, "names the factor 'years'", "mask, gender, age"),
        ({"mask": [1, 2]}, "cuts mask", "one of wear, incorrect, none"),
        ({"age": [58]}, "cuts age at 58", "divided by 2 ascending cuts"),
        ({"age": [30, 50, 58]}, "cuts age at 30, 50, 58", "divided by 2 ascending cuts"),
        ({"age": [58, 30]}, "cuts age at 58, 30", "ascending"),
        ({"age": [30, 30]}, "cuts age at 30, 30", "ascending"),
        ({"age": [30, float("nan")]}, "cuts age at 30, nan", "ascending"),
        ({"age": [30, float("inf")]}, "cuts age at 30, inf", "ascending"),
    ],
)
def test_cuts_that_do_not_fit_are_refused(cuts: Mapping[str, Sequence[float]], what: str, why: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        TargetRules(train_cuts=cuts).applied(home([20]), HOME)
    assert what in caught.value.what
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("values", "left"),
    [
        (["57-59"], [-3, -2, 0, 1.5, 56.5, 59.5, None]),
        (["57"], [-3, -2, 0, 1.5, 56.5, 58, 59, 59.5, None]),
        (["-3--2"], [0, 1.5, 56.5, 57, 58, 59, 59.5, None]),
        (["-3"], [-2, 0, 1.5, 56.5, 57, 58, 59, 59.5, None]),
        (["-2-1.5"], [-3, 56.5, 57, 58, 59, 59.5, None]),
        (["56.5 - 57.0", "1.5"], [-3, -2, 0, 58, 59, 59.5, None]),
    ],
)
def test_a_range_takes_both_ends_and_what_has_no_number_is_never_in_it(
    values: list[str], left: list[float | None]
) -> None:
    cold = [-3, -2, 0, 1.5, 56.5, 57, 58, 59, 59.5, None]
    table = pa.table({"cold": cold, "weight": pa.array(np.ones(len(cold), np.float32))})
    after = TargetRules(ignore={"cold": values}).applied(table, TWO)
    assert after.filter(pa.array(after["weight"].to_numpy() > 0))["cold"].to_pylist() == left
    assert after["weight"].type == pa.float32()


def test_levels_are_named() -> None:
    table = pa.table({"hat": ["yes", None, "no"], "weight": pa.array([1, 1, 1], pa.float32())})
    assert TargetRules(ignore={"hat": ["no"]}).applied(table, TWO)["weight"].to_pylist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ({"years": ["3"]}, "names the factor 'years'"),
        ({"hat": ["cap"]}, "--ignore hat=cap"),
        ({"cold": ["59-57"]}, "--ignore cold=59-57"),
        ({"cold": ["frost"]}, "--ignore cold=frost"),
        ({"cold": ["5-"]}, "--ignore cold=5-"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(rules: Mapping[str, Sequence[str]], what: str) -> None:
    table = pa.table({"hat": ["yes"], "cold": [3], "weight": pa.array([1], pa.float32())})
    with pytest.raises(MaskkitError) as caught:
        TargetRules(ignore=rules).applied(table, TWO)
    assert what in caught.value.what


def test_a_rule_that_no_photo_matches_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    table = home([20, 58])
    with caplog.at_level(logging.WARNING, "maskkit"):
        after = TargetRules(ignore={"age": ["58", "99"]}).applied(table, HOME)
    assert [record.message for record in caplog.records] == ["--ignore age=99 matches no photo"]
    assert after["weight"].to_pylist() == [1, 0]
