from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from maskkit.errors import MaskkitError
from maskkit.labelling.spread import level_shares
from maskkit.labelling.targets import TargetRules
from maskkit.labels import HOME, Factor, LabelSpace

TWO = LabelSpace(
    (
        Factor("height", ("short", "tall"), cuts=(1.7,)),
        Factor("hat", ("yes", "no")),
        Factor("cold", ("frost", "mild", "warm"), cuts=(0, 20)),
    )
)
NONE_FEMALE = 15  # none/female/under30


def home(ages: Sequence[float | None], kind: pa.DataType | None = None) -> pa.Table:
    classes = [None if age is None else NONE_FEMALE + HOME.factors[2].level_of(age) for age in ages]
    label = pa.array(classes, pa.int16())
    weight = pa.array(np.ones(len(ages), np.float32))
    age = pa.array(ages, kind or pa.int16())
    return pa.table({"age": age, "label": label, "target": label, "weight": weight})


def probs(table: pa.Table, rules: TargetRules, space: LabelSpace = HOME) -> NDArray[np.float32]:
    column = rules.applied(table, space)["target_probs"].combine_chunks()
    return np.asarray(column.flatten().to_numpy(), np.float32).reshape(-1, len(space))


def test_a_number_near_a_cut_is_shared_by_the_levels_on_both_sides() -> None:
    # A person of 58 is 58.5 on average: 1.5 years, 0.375 deviations, below the cut.
    (row,) = probs(home([58]), TargetRules(spread={"age": 4}))
    assert row[NONE_FEMALE + 2] == pytest.approx(0.3538, abs=1e-4)
    assert row[NONE_FEMALE + 1] == pytest.approx(1 - 0.3538, abs=1e-4)
    assert row[: NONE_FEMALE + 1] == pytest.approx(0, abs=1e-9)


def test_the_shares_are_what_a_normal_distribution_has_between_the_cuts() -> None:
    number, cuts = np.array([-3.0, 0.0, 11.5, 40.0]), (0.0, 10.0, 12.0)
    found = level_shares(number, cuts, 2.5)
    edges = [-np.inf, *cuts, np.inf]
    for place, value in enumerate(number):
        own = norm(value, 2.5)
        assert found[place] == pytest.approx(np.diff(own.cdf(edges)))
    assert found.sum(axis=1) == pytest.approx(1)


def test_label_and_target_stay_as_they_are() -> None:
    before = home([20, 29, 30, 59, 60])
    after = TargetRules(spread={"age": 4}).applied(before, HOME)
    assert after.drop_columns(["target_probs"]).equals(before)
    assert after["target_probs"].type == pa.list_(pa.float32(), len(HOME))


def test_without_a_spread_there_is_no_column() -> None:
    assert "target_probs" not in TargetRules().applied(home([29]), HOME).column_names


def test_a_whole_number_stands_for_its_middle_and_another_for_itself() -> None:
    rules = TargetRules(spread={"age": 3})
    assert probs(home([59]), rules) == pytest.approx(probs(home([59.5], pa.float64()), rules))
    assert probs(home([60.0], pa.float64()), rules)[0, -2:] == pytest.approx(0.5)


def test_a_row_without_a_number_keeps_its_target_and_one_without_a_target_has_none() -> None:
    table = home([58, 58])
    table = table.set_column(0, "age", pa.array([None, 58], pa.int16()))
    table = table.set_column(2, "target", pa.array([NONE_FEMALE + 1, None], pa.int16()))
    first, second = TargetRules(spread={"age": 4}).applied(table, HOME)["target_probs"].to_pylist()
    assert first == np.eye(len(HOME))[NONE_FEMALE + 1].tolist()
    assert second is None


def test_with_other_training_cuts_it_lies_about_those() -> None:
    rules = TargetRules(train_cuts={"age": [30, 58]}, spread={"age": 4})
    moved = probs(home([56]), rules)[0, NONE_FEMALE + 2]
    assert moved == pytest.approx(0.3538, abs=1e-4)


def test_several_numbers_are_off_without_each_other() -> None:
    index = TWO.names.index("short/no/mild")
    table = pa.table(
        {"height": [1.65], "hat": ["no"], "cold": [15.0], "target": pa.array([index], pa.int16())}
    )
    table = table.append_column("weight", pa.array([1], pa.float32()))
    found = probs(table, TargetRules(spread={"cold": 5, "height": 0.1}), TWO).reshape(TWO.shape)
    assert found[:, 0].sum() == 0
    height, cold = found.sum(axis=(1, 2)), found.sum(axis=(0, 1))
    assert height == pytest.approx([norm.cdf(0.5), norm.cdf(-0.5)])
    assert cold == pytest.approx([norm.cdf(-3), norm.cdf(1) - norm.cdf(-3), norm.cdf(-1)], abs=1e-6)
    assert found[:, 1] == pytest.approx(np.outer(height, cold))


@pytest.mark.parametrize(
    ("spread", "what", "why"),
    [
        ({"years": 3}, "--train-spread names the factor 'years'", "mask, gender, age"),
        ({"mask": 1}, "--train-spread spreads mask", "one of wear, incorrect, none"),
    ],
)
def test_only_a_number_can_be_off(spread: Mapping[str, float], what: str, why: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        TargetRules(spread=spread).applied(home([20]), HOME)
    assert what in caught.value.what
    assert why in caught.value.why
