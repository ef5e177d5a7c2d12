"""One reader of every CSV: encodings, delimiters, headers, and rows that are right or an error."""

from __future__ import annotations

import csv
import io
import logging
import time
from functools import partial

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.csv_header import HEAD
from maskkit.artifacts.csv_text import LONGEST_FIELD, CsvText
from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError

KOREAN = "경로,나이\n마스크.jpg,25\n"
READ = {"경로": ["마스크.jpg"], "나이": ["25"]}


def text(data: str | bytes, *, encoding: str | None = None) -> CsvText:
    data = data.encode() if isinstance(data, str) else data
    return CsvText.of(Source("t", pa.py_buffer(data), encoding=encoding))


def read(data: str | bytes, *, encoding: str | None = None) -> dict[str, list[object]]:
    return text(data, encoding=encoding).texts().to_pydict()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("encoding", "given"),
    [
        *(("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("utf-32", None), ("cp949", "cp949")),
        *(("utf-8", "cp949"), ("utf-8", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16", "cp949")),
    ],
)
def test_a_table_is_read_in_the_encoding_that_it_or_the_user_says(encoding: str, given: str | None) -> None:
    assert read(KOREAN.encode(encoding), encoding=given) == READ


@pytest.mark.parametrize("line", ["마스크.jpg,25\n", "a.jpg,25\n" * 100_000 + "마스크.jpg,25\n"])
def test_another_encoding_is_refused_with_what_it_looks_like(line: str) -> None:
    with pytest.raises(MaskkitError, match="t is not a text in UTF-8") as caught:
        read(b"path,age\n" + line.encode("cp949"))
    assert "byte 0xb8" in caught.value.why
    assert len(line) > 100 or "CP949, as Windows writes Korean: '마스크.jpg,25'" in caught.value.why
    assert "--encoding" in caught.value.fix


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_named(encoding: str) -> None:
    with pytest.raises(MaskkitError, match="there is a NUL in line 1") as caught:
        read("path,age\na,1\n".encode(encoding))
    assert f"--encoding {encoding}" in caught.value.fix


@pytest.mark.parametrize("place", [0, 300_000])
def test_a_nul_is_refused(place: int) -> None:
    with pytest.raises(MaskkitError, match="there is a NUL in line 2"):
        read(b"path\n" + b"a" * place + b"\0\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_first_in_the_header(delimiter: str) -> None:
    names = ["path", f'"a{delimiter}b"', *(f"a{other}b" for other in ",;\t" if other != delimiter)]
    assert list(read(delimiter.join(names) + "\n")) == [name.strip('"') for name in names]
    rows = f"a{delimiter}b\n1{delimiter}2\n"
    assert read(rows) == {"a": ["1"], "b": ["2"]}
    assert read(f"sep={delimiter}\n{rows}") == {"a": ["1"], "b": ["2"]}
    other = ";" if delimiter == "," else ","
    assert list(read(f"\n sep={delimiter} \r\na{other}b{delimiter}c\n")) == [f"a{other}b", "c"]


def test_names_are_stripped_composed_and_may_be_quoted() -> None:
    names = read(' path ,"age ", "x, y", 나이\n1,2,3,4\n')
    assert list(names) == ["path", "age", "x, y", "나이"]


@pytest.mark.parametrize("header", ["path,age,path", "path, path", '"path",path ', "path;path"])
def test_two_columns_of_one_name_are_refused(header: str) -> None:
    with pytest.raises(MaskkitError, match="t has two columns path"):
        read(f"{header}\n")


def test_an_index_of_pandas_is_left_out_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(",path\n0,a\n1,b\n") == {"path": ["a", "b"]}
    assert caplog.messages == ["left out column 1 of t: it looks like pandas' index"]
    assert read(",Unnamed: 0,path\n3,3,a\n5,4,b\n") == {"path": ["a", "b"]}
    assert read("Unnamed: 0,path\nx,a\n") == {"Unnamed: 0": ["x"], "path": ["a"]}


@pytest.mark.parametrize("lines", [",path\nx,a\n", ",path\n007,a\n", "path,\na,1\n"])
def test_a_column_without_a_name_that_is_no_index_is_refused(lines: str) -> None:
    with pytest.raises(MaskkitError, match="cannot read t as a table") as caught:
        read(lines)
    assert "has no name" in caught.value.why
    assert "index=False" in caught.value.fix


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("a" * (LONGEST_FIELD + 1) + ",b\n1,2\n", "its header: field larger than field limit (131072)"),
        ("a,b\n1," + "x" * (LONGEST_FIELD + 1) + "\n", "line 2: field larger than field limit (131072)"),
        ('a,b\n1,"' + "x,y\n" * LONGEST_FIELD, "line 2: field larger than field limit (131072)"),
        ('"a,b\n1,2\n', "its header: a quote is opened and never closed"),
        ('a,b\n1,2\n3,"4\n5,6\n', "line 3: a quote is opened and never closed"),
        ('a,b\n"\n",",', "line 2: a quote is opened and never closed"),
        ('a,b\n1,2\n3,"4', "line 3: a quote is opened and never closed"),
        (",".join("1" * 1_000_000) + "\n", "it has 1,000,000 columns, and 10,000 at most are read"),
        ("x" * HEAD + ",b\n1,2\n", "its header: field larger than field limit"),
        (",".join(["x"] * (HEAD // 2 + 1)) + "\n1\n", "longer than 4,194,304 bytes"),
        ("a,b\n" + ",".join("1" * 1_000_000) + "\n", "line 2 has 1,000,000 cells, and the header 2"),
        ("\n\n \n", "it has no header line"),
        ("", "it is empty"),
    ],
)
def test_what_nobody_writes_is_refused_at_once(data: str, why: str) -> None:
    start = time.process_time()
    with pytest.raises(MaskkitError, match="cannot read t as a table") as caught:
        read(data)
    assert why in caught.value.why
    assert time.process_time() - start < 2


@pytest.mark.parametrize("width", [1, 300_000])
def test_korean_letters_count_as_letters(width: int) -> None:
    cell = "가" * min(width, LONGEST_FIELD)  # of three bytes each
    assert read(f"a,b\n1,{cell}\n") == {"a": ["1"], "b": [cell]}


def test_numbers_are_whole_or_not_and_ids_are_texts() -> None:
    table = text("ImageID,ans,p,name\n007,3,0.5,x\n08,11,1,y\n").typed(["ImageID"])
    assert [str(kind) for kind in table.schema.types] == ["string", "int64", "double", "string"]
    spaced = text("name, ImageID, ans\nx, 007, 3\ny, 08, 11\n").typed(["ImageID"])
    assert spaced.to_pydict() == {"name": ["x", "y"], "ImageID": ["007", "08"], "ans": [3, 11]}


def test_each_row_begins_in_a_line() -> None:
    lines = 'sep=;\r\n\r\n"a\r\nb";c\r\n1;"x\r\ny"\r\n\r\n2;3\r\n'
    assert text(lines).beginnings() == [5, 8]


cells = st.text(st.sampled_from('ab ,"\n\r'), max_size=4)
plain = st.text(st.sampled_from("ab\r;"), max_size=3)


@given(st.lists(st.tuples(cells | plain, cells), min_size=1, max_size=8), st.booleans(), st.integers(0, 9))
def test_rows_are_those_of_the_csv_module_or_an_error(
    rows: list[tuple[str, str]], quoted: bool, cut: int
) -> None:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerows(rows)
    lines = file.getvalue()[: -cut or None]  # perhaps with a quote left open
    try:
        found = list(csv.reader(io.StringIO(lines, newline=""), skipinitialspace=True, strict=True))
        is_blank = [not cells or (len(cells) == 1 and not cells[0].strip()) for cells in found]
        expected = [
            [cell or None for cell in (*cells, "")[:2]]
            for cells, blank in zip(found, is_blank, strict=True)
            if not blank
        ]
    except csv.Error:
        with pytest.raises(MaskkitError, match="cannot read t as a table"):
            read(f"a,b\n{lines}")
        return
    assert [list(one) for one in zip(*read(f"a,b\n{lines}").values(), strict=True)] == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("times", [1, 4])
def test_line_ends_in_quotes_are_kept_where_arrow_cuts_its_blocks(
    monkeypatch: pytest.MonkeyPatch, end: str, times: int
) -> None:
    rows = [["c", "d"], [f"a{end}b", "d"], [f"b{end}", f"{end}x{end}"], ["e", f"{end}{end}"]] * times
    for some in (rows[:2], [*rows, ["c", "d"]]):
        file = io.StringIO()
        csv.writer(file, csv.unix_dialect).writerows([("a", "b"), *some])
        for size in range(12, 60):
            monkeypatch.setattr(pacsv, "ReadOptions", partial(READ_OPTIONS, block_size=size))
            assert [list(one) for one in zip(*read(file.getvalue()).values(), strict=True)] == some


READ_OPTIONS = pacsv.ReadOptions
