from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.answer_sets import AnswerSets, Promise, set_columns
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.parquet import to_parquet
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace

RANDOM = np.random.default_rng(0)
PROBS = RANDOM.dirichlet(np.ones(18), 6).astype(np.float32)
SETS = AnswerSets(
    Promise(0.9, "age"), RANDOM.random((6, 18)) < 0.2, tuple(RANDOM.random((6, n)) < 0.5 for n in (3, 2, 3))
)
FACT = {"coverage": 0.9, "per": "age", "abstain": None, "left_out": 0}


def given(**facts: Any) -> Predictions:
    header = Header("predictions", HOME, (), {"sets": {**FACT, **facts}})
    path = pa.array([f"{row}.jpg" for row in range(6)])
    return Predictions(path, PROBS.argmax(1), PROBS, tuple(HOME.names), None, header, sets=SETS)


def assert_equal(found: AnswerSets | None, expected: AnswerSets) -> None:
    assert found is not None
    assert found.promise == expected.promise
    parts = zip((found.classes, *found.levels), (expected.classes, *expected.levels), strict=True)
    assert all(np.array_equal(one, other) for one, other in parts)


def test_parquet_gives_back_the_sets_and_their_promise() -> None:
    found = Predictions.read(Source("p.parquet", given(abstain=3, left_out=2).encode("parquet")))
    assert_equal(found.sets, SETS)
    assert found.left_out == 2
    assert found.probs is not None
    assert np.array_equal(found.probs, PROBS)


def test_other_programs_see_lists_of_names() -> None:
    columns = SETS.columns(HOME)
    assert list(columns) == list(set_columns(HOME)) == ["set", "set_mask", "set_gender", "set_age"]
    for row in range(6):
        assert columns["set"][row].as_py() == [HOME.names[one] for one in np.flatnonzero(SETS.classes[row])]


def test_a_csv_has_them_as_texts_which_readers_of_probabilities_pass_over() -> None:
    data = given().encode("csv")
    first = data.to_pybytes().decode().splitlines()
    assert first[0].endswith(",set,set_mask,set_gender,set_age")
    assert first[1].split(",")[-1] == "|".join(np.array(HOME.factors[2].levels)[SETS.levels[2][0]])
    found = Predictions.read(Source("p.csv", data))
    assert (found.classes, found.sets) == (tuple(HOME.names), None)
    assert found.probs == pytest.approx(PROBS, abs=1e-6)


def test_a_class_may_be_called_like_a_column_of_sets() -> None:
    text = b"path,set,set_x\na.jpg,0.25,0.75\n"
    assert Predictions.read(Source("p.csv", pa.py_buffer(text))).classes == ("set", "set_x")


def test_some_rows_keep_their_sets() -> None:
    rows = np.array([4, 1])
    found = given().take(rows)
    assert found.path.to_pylist() == ["4.jpg", "1.jpg"]
    assert_equal(found.sets, SETS.take(rows))
    assert_equal(Predictions.read(Source("p.parquet", found.encode("parquet"))).sets, SETS.take(rows))


def test_a_task_of_one_factor_has_sets_of_classes_alone() -> None:
    space = LabelSpace((Factor("helmet", ("yes", "no")),))
    assert list(AnswerSets(Promise(0.9), SETS.classes[:, :2], ()).columns(space)) == ["set"]


@pytest.mark.parametrize(
    "column",
    [
        None,
        pa.array([["nothing"]] * 6),
        pa.array([None] * 6, pa.list_(pa.string())),
        pa.array([1] * 6),
        pa.array([[None]] * 6, pa.list_(pa.string())),
    ],
)
def test_what_the_header_promises_has_to_be_there(column: pa.Array | None) -> None:
    whole = given()
    flat = pa.array(PROBS.ravel())
    table = pa.table({"path": whole.path, "probs": pa.FixedSizeListArray.from_arrays(flat, 18)})
    for name, own in SETS.columns(HOME).items():
        if name == "set_age" and column is None:
            continue
        table = table.append_column(name, own if name != "set_age" else column)
    with pytest.raises(MaskkitError, match="has no sets of classes") as caught:
        Predictions.read(Source("p.parquet", to_parquet(table, whole.header)))
    assert "predict --sets" in caught.value.fix


def test_tables_without_a_promise_have_no_sets() -> None:
    bare = replace(given(), header=Header("predictions", HOME), sets=None)
    assert Predictions.read(Source("p.parquet", bare.encode("parquet"))).sets is None


@pytest.mark.parametrize("coverage", [0.0, 1.0, float("nan")])
def test_a_promise_is_a_share(coverage: float) -> None:
    with pytest.raises(MaskkitError, match="cannot promise sets"):
        Promise(coverage)
