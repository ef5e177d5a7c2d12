from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.parquet import to_parquet
from maskkit.artifacts.predictions import Form, Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError
from maskkit.labels import Factor, LabelSpace

SPACE = LabelSpace((Factor("mask", ("on", "off")), Factor("age", ("young", "old"), cuts=(40,))))
SEEN = Seen.of(["001"], salt="x")
HEADER = Header("predictions", SPACE, (Record("predict", {}),), {"leaked": 2, "seen": [SEEN.to_json()]})
PROBS = np.array([[0.1, 0.2, 0.3, 0.4], [1, 0, 0, 0], [0.25, 0.5, 0.125, 0.125]], np.float32)
IDS = ["007.jpg", "a b/ü.jpg", '"odd", name.jpg']


def made() -> Predictions:
    return Predictions(
        pa.array(IDS), PROBS.argmax(1), PROBS, tuple(SPACE.names), np.array([2, -1, 0]), HEADER
    )


def read(data: str | bytes | pa.Buffer, *, name: str = "file") -> Predictions:
    data = data.encode() if isinstance(data, str) else data
    return Predictions.read(Source(name, pa.py_buffer(data)))


def wrong(data: str | bytes | pa.Buffer) -> MaskkitError:
    with pytest.raises(MaskkitError) as caught:
        read(data, name="some.csv")
    assert "some.csv" in caught.value.what
    assert caught.value.why
    assert caught.value.fix
    return caught.value


def test_parquet_comes_back_whole() -> None:
    again = read(made().encode("parquet"))
    assert again.path.to_pylist() == IDS
    assert again.probs is not None
    assert again.probs.dtype == np.float32
    assert np.array_equal(again.probs, PROBS)
    assert again.answer.tolist() == [3, 0, 1]
    assert again.fold is not None
    assert again.fold.tolist() == [2, -1, 0]
    assert again.classes == ("on/young", "on/old", "off/young", "off/old")
    assert again.header.to_json() == HEADER.to_json()
    assert again.leaked == 2
    assert [item.salt for item in again.trained_on] == ["x"]


def test_a_csv_of_probabilities_comes_back_to_the_last_bit() -> None:
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(4) / 10, 500).astype(np.float32)
    ids = pa.array([f"{row:05d}.jpg" for row in range(500)])
    text = Predictions(ids, probs.argmax(1), probs, tuple(SPACE.names)).encode("csv")
    again = read(text)
    assert again.probs is not None
    assert np.array_equal(again.probs, probs)
    assert again.classes == tuple(SPACE.names)
    assert again.path.to_pylist() == ids.to_pylist()
    assert again.header.space is None


def test_a_submission_is_exactly_what_the_competition_asks_for() -> None:
    predictions = Predictions(pa.array(["cb.jpg", "007.jpg"]), np.array([17, 0]))
    assert bytes(predictions.encode("submission")) == b"ImageID,ans\ncb.jpg,17\n007.jpg,0\n"


@pytest.mark.parametrize("form", ["csv", "submission"])
def test_ids_with_commas_quotes_and_letters_of_any_language_survive_a_csv(form: Form) -> None:
    data = bytes(made().encode(form))
    assert data.split(b"\n")[0] in (
        b"ImageID,ans",
        b"path,answer,confidence,on/young,on/old,off/young,off/old",
    )
    again = read(data)
    assert again.path.to_pylist() == IDS
    assert again.answer.tolist() == [3, 0, 1]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1), min_size=1, unique=True
    )
)
def test_any_id_survives_a_submission(ids: list[str]) -> None:
    answer = np.arange(len(ids)) % 18
    again = read(Predictions(pa.array(ids), answer).encode("submission"))
    assert again.path.to_pylist() == ids
    assert again.answer.tolist() == answer.tolist()


@pytest.mark.parametrize("form", ["parquet", "csv", "submission"])
def test_the_form_is_told_by_content_whatever_the_file_is_called(form: Form) -> None:
    data = made().encode(form)
    for name in ("a.parquet", "a.csv", "-", "noname"):
        predictions = read(data, name=name)
        assert predictions.answer.tolist() == [3, 0, 1]
        assert (predictions.probs is None) == (form == "submission")
        assert (predictions.header.space is None) == (form != "parquet")
        assert predictions.name == ("standard input" if name == "-" else name)


@pytest.mark.parametrize("form", ["parquet", "csv", "submission"])
def test_the_same_predictions_give_the_same_bytes(form: Form) -> None:
    assert bytes(made().encode(form)) == bytes(made().encode(form))


@pytest.mark.parametrize(
    "text",
    [
        "ImageID,ans\n007,3\n08,11\n",
        '"ImageID","ans"\n"007","3"\n"08","11"\n',
        "\ufeffImageID,ans\n007,3\n08,11\n",
        "ImageID,ans\r\n007,3\r\n08,11\r\n",
        "ImageID, ans\n007, 3\n08, 11\n",
        "ImageID,ans\n007,3\n08,11",
        "ans,ImageID\n3,007\n11,08\n",
        "path,ans\n007,3\n08,11\n",
        "ImageID,ans\n007,3\n\n08,11\n\n",
        "ImageID;ans\n007;3\n08;11\n",
        "ImageID\tans\n007\t3\n08\t11\n",
        " ImageID, ans\n007,3\n08,11\n",
        "ImageID ,ans\t\n007,3\n08,11\n",
        "ImageID,ans\n007,3.0\n08,11.0\n",
        ",ImageID,ans\n0,007,3\n1,08,11\n",
        "Unnamed: 0,ImageID,ans\n5,007,3\n2,08,11\n",
        "ImageID,ans,\n007,3,\n08,11,\n",
        "ImageID,ans\n 007,3\n 08,11\n",
        "sep=;\nImageID;ans\n007;3\n08;11\n",
    ],
)
def test_reads_submissions_as_other_programs_write_them(text: str) -> None:
    predictions = read(text)
    assert predictions.path.to_pylist() == ["007", "08"]  # text, although it looks like numbers
    assert predictions.answer.tolist() == [3, 11]
    assert predictions.probs is None


def test_reads_probabilities_that_look_like_whole_numbers() -> None:
    predictions = read("path,cat,dog,fold\n1,1,0,0\n2,0,1,1\n")
    assert predictions.path.to_pylist() == ["1", "2"]
    assert predictions.answer.tolist() == [0, 1]
    assert predictions.classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ImageID,ans\n", "no rows"),
        ("ImageID\na\n", "columns are ImageID"),
        ("id,ans\na,1\n", "columns are id, ans"),
        ("path,fold\na,1\n", "columns are path, fold"),
        ("ImageID,label\na,1\n", "only 'label'"),
        ("ImageID,ans\na,3.5\n", "holds 3.5"),
        ("ImageID;ans\na;3,5\n", "holds string, such as 3,5, with a comma where numbers have a point"),
        (",ans\n7,1\n8,1\n", "columns are ans; the ids may be in its first column, which has no name"),
        ("ImageID,ans\na,wear\n", "holds string, such as wear"),
        ("ImageID,ans\na,true\n", "holds bool"),
        ("ImageID,ans\na,-1\n", "from -1 to -1"),
        ("ImageID,ans\na,1\nb,20221016\n", "from 1 to 20221016"),
        ("ImageID,ans\na,1\nb,\n", "1 empty cells"),
        ("ImageID,ans\na,\nb,\n", "2 empty cells"),
        ("ImageID,ans\na,NaN\nb,1\n", "1 empty cells"),
        ("path,x,y\na,0.5,0.5\nb,,1\n", "'x' has 1 empty cells"),
        ("id,gender,race,age,path\n1,male,Asian,20,a\n", "holds string, such as male"),
    ],
)
def test_what_is_no_table_of_predictions_is_refused_with_the_reason(text: str | bytes, why: str) -> None:
    error = wrong(text)
    assert error.what == "some.csv is not a table of predictions"
    assert why in error.why


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "cannot read some.csv as a table"),
        ("ImageID,ans\na,1,2\n", "cannot read some.csv as a table"),
        ("ImageID,ans,ans \na,1,1\n", "some.csv has two columns ans"),
        ("path,x,x\na,0.5,0.5\n", "some.csv has two columns x"),
        (b"\xff\xd8\xff\xe0 a photo", "some.csv is not a text in UTF-8"),
        (b"ImageID,ans\n\xff,1\n", "some.csv is not a text in UTF-8"),
        (b"PK\x03\x04 an xlsx\0", "some.csv is not a text: there is a NUL in line 1"),
    ],
)
def test_what_is_no_csv_is_refused(text: str | bytes, what: str) -> None:
    assert wrong(text).what == what


@pytest.mark.parametrize("text", ["ImageID,ans\na,1\nb,2\na,1\n", "path,x,y\na,1,0\nb,1,0\na,0,1\n"])
def test_an_image_named_twice_is_refused(text: str) -> None:
    assert "names photos twice: a" in wrong(text).what


def test_the_same_ids_in_the_same_order_are_held_once() -> None:
    first = read("ImageID,ans\na,1\nb,2\n")
    again = Predictions.read(Source("x", pa.py_buffer(b"ImageID,ans\na,0\nb,0\n")), like=first)
    assert again.path is first.path
    assert again.answer.tolist() == [0, 0]
    other = Predictions.read(Source("x", pa.py_buffer(b"ImageID,ans\nb,0\na,0\n")), like=first)
    assert other.path.to_pylist() == ["b", "a"]
    with pytest.raises(MaskkitError, match="names photos twice: b"):
        Predictions.read(Source("x", pa.py_buffer(b"ImageID,ans\nb,0\nb,0\n")), like=first)


def test_an_empty_id_is_refused() -> None:
    assert "rows without an id" in wrong("ImageID,ans\n,1\nb,2\n").what


@pytest.mark.parametrize(
    ("rows", "why", "fix"),
    [
        (["0.33,0.33,0.33"] * 3, "a sums to 0.99, and they look rounded to two decimals;", "float_format"),
        (["0.3,0.3,0.3"] * 3, "a sums to 0.9, and they look rounded to one decimal;", "float_format"),
        (["0.167,0.167,0.167,0.167,0.167,0.167"] * 3, "rounded to three decimals", "float_format"),
        (["33,33,34"] * 3, "a sums to 100, and they look like percentages;", "divide them by 100"),
        (["0.5,0.2,0.2"] * 3 + ["0.123,0.3,0.5"], "a sums to 0.9;", "softmax"),
    ],
)
def test_numbers_that_were_probabilities_once_are_named(rows: list[str], why: str, fix: str) -> None:
    lines = [f"{name},{row}" for name, row in zip("abcd", rows, strict=False)]
    names = ",".join("uvwxyz"[: len(rows[0].split(","))])
    error = wrong("\n".join([f"path,{names}", *lines]))
    assert why in error.why
    assert fix in error.fix


@pytest.mark.filterwarnings("error")
def test_too_large_a_number_is_no_probability() -> None:
    assert "1 rows that are not" in wrong("path,x,y\na,0.25,0.75\nb,1e300,0\n").what


@pytest.mark.parametrize("form", ["csv", "submission"])
def test_a_space_at_the_beginning_of_an_id_is_a_part_of_it(form: Form) -> None:
    ids = [" a.jpg", "b.jpg", " "]
    probs = np.eye(2, dtype=np.float32)[[1, 0, 1]]
    predictions = Predictions(pa.array(ids), probs.argmax(1), probs, ("x", "y"))
    assert read(predictions.encode(form)).path.to_pylist() == ids


@pytest.mark.parametrize("row", ["2.5,-1.5", "0.5,0.6", "inf,0", "1.5,-0.5", "0,0"])
def test_logits_and_other_numbers_are_no_probabilities(row: str) -> None:
    error = wrong(f"path,x,y\na,0.25,0.75\nb,{row}\n")
    assert "1 rows that are not probabilities" in error.what
    assert error.why.startswith("b sums to")
    assert "softmax" in error.fix


def test_probabilities_that_are_not_numbers_are_refused_in_parquet() -> None:
    predictions = made()
    assert predictions.probs is not None
    predictions.probs[1] = np.nan
    try:
        assert "1 rows that are not probabilities" in wrong(predictions.encode("parquet")).what
    finally:
        predictions.probs[1] = [1, 0, 0, 0]


def parquet(**columns: pa.Array) -> pa.Buffer:
    table = {"path": pa.array(IDS), "probs": pa.array(PROBS.tolist(), pa.list_(pa.float32(), 4)), **columns}
    return to_parquet(
        pa.table({name: values for name, values in table.items() if values is not None}), HEADER
    )


@pytest.mark.parametrize(
    "columns",
    [
        {"probs": pa.array(PROBS.tolist(), pa.list_(pa.float64()))},
        {"probs": pa.array(PROBS.tolist(), pa.list_(pa.float64(), 4))},
        {"probs": pa.array(PROBS.tolist(), pa.large_list(pa.float32()))},
        {"path": pa.array(IDS, pa.large_string()), "fold": pa.array([0.0, None, 1.0])},
    ],
)
def test_wider_types_of_other_programs_are_cast(columns: dict[str, pa.Array]) -> None:
    predictions = read(parquet(**columns))
    assert predictions.probs is not None
    assert np.array_equal(predictions.probs, PROBS)
    assert predictions.path.type == pa.string()
    if "fold" in columns:
        assert predictions.fold is not None
        assert predictions.fold.tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    "columns",
    [
        {"probs": None},
        {"path": None},
        {"probs": pa.array([[1.0, 0, 0]] * 3)},
        {"probs": pa.array([[1.0, 0, 0, 0], None, [1, 0, 0, 0]], pa.list_(pa.float32()))},
        {"probs": pa.array(["a", "b", "c"])},
        {"probs": pa.array([0.5, 0.5, 0.5])},
        {"probs": pa.array([[1, 0, 0, None]] * 3, pa.list_(pa.float32()))},
        {"path": pa.array(["a", None, "b"])},
        {"path": pa.array(["a", "b", "a"])},
        {"fold": pa.array(["a", "b", "c"])},
    ],
)
def test_parquet_that_does_not_fit_its_label_space_is_refused(columns: dict[str, pa.Array]) -> None:
    assert wrong(parquet(**columns)).fix


def test_a_manifest_is_not_predictions() -> None:
    data = to_parquet(pa.table({"path": ["a"]}), Header("manifest", SPACE))
    assert wrong(data).what == "some.csv is a manifest, not a predictions"


def test_truncated_parquet_is_refused() -> None:
    assert "some.csv" in wrong(made().encode("parquet")[:-9]).what


def test_what_a_submission_lacks_cannot_be_written() -> None:
    submission = read("ImageID,ans\na,1\n")
    forms: tuple[Form, ...] = ("parquet", "csv")
    for form in forms:
        with pytest.raises(MaskkitError, match=f"cannot be written as {form}") as caught:
            submission.encode(form)
        assert "no probabilities" in caught.value.why
    with pytest.raises(MaskkitError) as caught:
        read("path,x,y\na,0.5,0.5\n").encode("parquet")
    assert "no label space" in caught.value.why


def test_the_bytes_a_next_stage_is_told_of_are_those_read() -> None:
    data = b"ImageID,ans\r\n007,3\r\n"
    assert read(data).as_input().sha256 == Source("", pa.py_buffer(data)).sha256
    assert read(made().as_input().data).answer.tolist() == [3, 0, 1]
