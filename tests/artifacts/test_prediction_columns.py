from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.prediction_columns import ANSWERED
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.labels import Factor, LabelSpace

PROBS = np.array([[0.125, 0.5, 0.375], [0.25, 0.25, 0.5]], np.float32)


def made(*classes: str, probs: np.ndarray = PROBS) -> Predictions:
    header = Header("predictions", LabelSpace((Factor("part", classes),)))
    ids = pa.array([f"{row}.jpg" for row in range(len(probs))])
    return Predictions(ids, probs.argmax(1), probs, classes, header=header)


def read(data: pa.Buffer | str) -> Predictions:
    return Predictions.read(
        Source("some.csv", pa.py_buffer(data.encode()) if isinstance(data, str) else data)
    )


def text(one: Predictions) -> str:
    return bytes(one.encode("csv")).decode()


def test_a_csv_says_what_was_answered_and_how_surely_before_all_probabilities() -> None:
    assert text(made("ok", "bent", "scratched")).splitlines() == [
        "path,answer,confidence,ok,bent,scratched",
        "0.jpg,bent,0.5,0.125,0.5,0.375",
        "1.jpg,scratched,0.5,0.25,0.25,0.5",
    ]


def test_parquet_says_it_to_pandas_which_finds_the_names_of_all_classes() -> None:
    data = made("ok", "bent", "scratched").encode("parquet")
    table = pd.read_parquet(pa.BufferReader(data))
    assert list(table["answer"]) == ["bent", "scratched"]
    assert list(table["answer"].cat.categories) == ["ok", "bent", "scratched"]
    assert list(table["confidence"]) == [0.5, 0.5]
    names = pq.read_schema(pa.BufferReader(data)).field("probs").metadata[b"classes"]
    assert json.loads(names) == ["ok", "bent", "scratched"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    "classes",
    [("ok", "bent", "scratched"), ("1", "2", "3"), ("007", "7", "07"), ("answer", "confidence", "ok"),
     ("answer", "b", "c"), ("confidence", "b", "c"), ("true", "false", "null")],
    ids=lambda classes: classes[0],
)  # fmt: skip
def test_what_is_read_back_is_the_same_whatever_classes_are_called(
    form: str, classes: tuple[str, ...]
) -> None:
    one = made(*classes)
    again = read(one.encode("csv" if form == "csv" else "parquet"))
    assert again.classes == classes
    assert again.probs is not None
    assert np.array_equal(again.probs, PROBS)
    assert again.answer.tolist() == one.answer.tolist()
    added = ANSWERED if set(ANSWERED).isdisjoint(classes) else ()
    assert text(one).splitlines()[0] == ",".join(["path", *added, *classes])


@given(st.lists(st.sampled_from(["ok", "bent", "scratched"]), min_size=2, max_size=2))
def test_an_answer_that_is_not_the_most_probable_is_an_error(answers: list[str]) -> None:
    rows = [f"{row}.jpg,{one}" for row, one in enumerate(answers)]
    data = f"path,answer,confidence,ok,bent,scratched\n{rows[0]},0.5,.1,.5,.4\n{rows[1]},0.4,.4,.4,.2\n"
    wrong = [answers[0] != "bent", answers[1] == "scratched"]
    if not any(wrong):  # of two that are equally probable, either is right
        assert read(data).answer.tolist() == [1, 0]
        return
    with pytest.raises(MaskkitError, match=r"some.csv answers \d.jpg with") as caught:
        read(data)
    assert "delete the columns answer and confidence" in caught.value.fix
    assert ("so are 2 answers" in caught.value.why) == all(wrong)


def test_the_columns_may_be_missing_and_stand_anywhere() -> None:
    assert read("path,a,b\nx,.25,.75\n").answer.tolist() == [1]
    assert read("path,a,answer,b\nx,.25,b,.75\n").classes == ("a", "b")
    assert read("answer,path,a,confidence,b\nb,x,.25,wrong,.75\n").classes == ("a", "b")
    assert read("path,answer,b\nx,.25,.75\n").classes == ("answer", "b")  # a class called so


def test_an_answer_that_is_no_class_is_an_error() -> None:
    with pytest.raises(MaskkitError, match=r"some\.csv") as caught:
        read("path,answer,confidence,a,b\nx,c,.75,.25,.75\n")
    assert "answer" in caught.value.why
