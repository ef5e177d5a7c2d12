from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_places import here

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.sources.layouts import PhotoTable
from maskkit.sources.reading import photo_table, read_table


def read(data: str | bytes) -> pa.Table:
    return read_table(Source("t", pa.py_buffer(data.encode() if isinstance(data, str) else data)))


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "id,path\n001,a.jpg\n,NA\n",
        "id,path\r\n001,a.jpg\r\n,NA\r\n",
        "\ufeffid,path\n001,a.jpg\n,NA\n",
        '"id","path"\n"001","a.jpg"\n"","NA"\n',
        "id, path\n001, a.jpg\n, NA\n",
        "id,path\n001,a.jpg,\n,NA,\n",  # spreadsheets write such commas; pandas would shift the columns
    ],
)
def test_cells_of_a_csv_are_text_and_empty_ones_are_none(text: str) -> None:
    assert read(text).to_pydict() == {"id": ["001", None], "path": ["a.jpg", "NA"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a, b\n1, "x, y"\n', {"a": ["1"], "b": ["x, y"]}),
        ('a, b\n1, "xy"\n', {"a": ["1"], "b": ["xy"]}),
        ('a, b, c\n1, "x, y"\n', {"a": ["1"], "b": ["x, y"], "c": [None]}),
        ("a,b\n1\n", {"a": ["1"], "b": [None]}),
        ("a,b,\n1,2,\n", {"a": ["1"], "b": ["2"]}),
        ("a,b\n1,2\n4,5,\n", {"a": ["1", "4"], "b": ["2", "5"]}),
        ('\n\na,b\n\n1,"x\ny"\n', {"a": ["1"], "b": ["x\ny"]}),
        ('"a\nb",c\n1,2\n', {"a\nb": ["1"], "c": ["2"]}),
        ('a,b\n1,say ""hi""\n', {"a": ["1"], "b": ['say ""hi""']}),
        ('a,b\n1,"say ""hi"""\n', {"a": ["1"], "b": ['say "hi"']}),
        ("a,b\n1, \n", {"a": ["1"], "b": [None]}),
    ],
)
def test_other_dialects_of_csv_are_read_as_spreadsheets_and_pandas_mean_them(
    text: str, expected: dict[str, list[str | None]]
) -> None:
    assert read(text).to_pydict() == expected


cells = st.text(st.sampled_from('ab ,"\n\r;é'), max_size=4)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_any_cells_come_back_as_pandas_reads_them(rows: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("a", "b"), *rows])
    frame = pd.read_csv(
        io.StringIO(text.getvalue()), dtype=str, na_values=[""], keep_default_na=False, skipinitialspace=True
    )
    assert read(text.getvalue()).to_pydict() == frame.astype(object).where(frame.notna(), None).to_dict(
        "list"
    )


def test_whole_numbers_beside_nulls_in_parquet_stay_whole() -> None:
    frame = pd.DataFrame(
        {"person_id": pd.array([1, None], "Int64"), "age": [25.5, float("nan")], "path": ["a", "b"]}
    )
    assert read(parquet(frame)).to_pydict() == {
        "person_id": [1, None],
        "age": [25.5, None],
        "path": ["a", "b"],
    }


def test_columns_whose_name_is_not_utf8_are_refused() -> None:
    data = parquet(pd.DataFrame({"path": ["a"], "where": ["b"]})).replace(b"where", b"wher\xff")
    with pytest.raises(MaskkitError, match="cannot read t as a table"):
        read(data)


def test_a_named_index_of_pandas_is_a_column_and_an_unnamed_one_is_not() -> None:
    frame = pd.DataFrame({"path": ["a", "b"], "mask": ["wear", "none"]}, index=[5, 7])
    assert read(parquet(frame)).column_names == ["path", "mask"]
    assert read(parquet(frame.set_index("path")))["path"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "it is empty"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3 cells, and the header 2"),
        ("a,b\n1,2\n4,5,6\n", "line 3 has 3 cells, and the header 2"),
        ('a,b\n"1,2\n', "line 2: a quote is opened and never closed"),
        (parquet(pd.DataFrame({"path": ["a"]}))[:-9], ""),
        (b"PAR1", ""),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(data: str | bytes, why: str) -> None:
    with pytest.raises(MaskkitError, match="cannot read t as a table") as caught:
        read(data)
    assert why in caught.value.why
    assert "UTF-8" in caught.value.fix


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_columns_of_one_name_are_refused(kind: str) -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["path", "path"])
    file = io.BytesIO()
    pq.write_table(table, file)
    with pytest.raises(MaskkitError, match="t has two columns path"):
        read("path,path\na,b\n" if kind == "csv" else file.getvalue())


@pytest.mark.parametrize("data", ["path,mask\n", parquet(pd.DataFrame({"path": []}))])
def test_a_table_without_rows_is_refused(data: str | bytes) -> None:
    with pytest.raises(MaskkitError, match="t has no rows"):
        read(data)


def photos(text: str) -> dict[str, list[object]]:
    return {
        name: values.to_pylist()
        for name, values in PhotoTable(read(text), Path("r"), "t").listing(HOME).columns.items()
    }


def test_every_column_is_listed() -> None:
    assert photos("path,mask,gender,age,site\na,wear,male,3,Seoul\n") == {
        "path": ["a"],
        "mask": ["wear"],
        "gender": ["male"],
        "age": ["3"],
        "site": ["Seoul"],
    }


def test_photos_without_labels_need_no_factors() -> None:
    assert photos("path\na\n") == {"path": ["a"]}


@pytest.mark.parametrize(
    ("header", "lacking"),
    [("file,mask,gender,age", "path"), ("path,mask", "gender, age"), ("Path", "path, mask, gender, age")],
)
def test_lacking_columns_are_named_beside_those_there_are(header: str, lacking: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        photos(f"{header}\n{','.join('x' * len(header.split(',')))}\n")
    assert caught.value.what == f"t has no column {lacking}"
    assert header.replace(",", ", ") in caught.value.why


def test_photos_are_under_the_root_given_or_in_images_beside_the_table_or_beside_it(tmp_path: Path) -> None:
    table = tmp_path / "train.csv"
    table.write_text("path\na.jpg\n")
    images = tmp_path / "images"
    images.touch()

    def root(given: str | None = None) -> Path:
        return here(photo_table(Source.open(table), root=given).root)

    assert root() == tmp_path  # a file of that name is no folder
    images.unlink()
    assert root() == tmp_path
    images.mkdir()
    assert root() == images
    assert root("elsewhere") == Path("elsewhere")


def test_the_photos_of_a_piped_table_are_looked_for_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    piped = Source("-", pa.py_buffer(b"path\na.jpg\n"))
    assert photo_table(piped).root == Path()
    (tmp_path / "images").mkdir()
    assert photo_table(piped).root == Path("images")
