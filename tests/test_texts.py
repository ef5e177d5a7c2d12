"""Encodings that bytes are in or look like, numbers that texts spell, names of files that are not UTF-8."""

from __future__ import annotations

import os
import unicodedata
from math import isnan

import pytest

from maskkit.errors import MaskkitError
from maskkit.texts import composed, decoded, foreign_name, is_utf8, known_encoding, number_of, readable

KOREAN = "나이,경로\n스물,마스크.jpg\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_text_is_read_by_the_mark_of_its_encoding(encoding: str) -> None:
    assert decoded(KOREAN.encode(encoding), title="t") == KOREAN


@pytest.mark.parametrize("encoding", ["cp949", "utf-16-le", "euc_kr"])
def test_an_encoding_that_is_given_is_used_where_there_is_no_mark(encoding: str) -> None:
    assert decoded(KOREAN.encode(encoding), title="t", encoding=encoding) == KOREAN
    assert decoded(KOREAN.encode("utf-16"), title="t", encoding=encoding) == KOREAN


@pytest.mark.parametrize(
    ("data", "why", "fix"),
    [
        (KOREAN.encode("cp949"), "line 1 is none; the bytes look like CP949", "--encoding cp949"),
        (b"a\n" + KOREAN.encode("cp949"), "'나이,경로'", "--encoding cp949"),
        ("age\ncafé\n".encode("cp1252"), "0xe9 in line 2 is none; the bytes are not UTF-8", "cp1252"),
        ("age\n20\n".encode("utf-16-le"), "UTF-16 without its mark (utf-16-le)", "--encoding utf-16-le"),
        ("age\n20\n".encode("utf-16-be"), "UTF-16 without its mark (utf-16-be)", "--encoding utf-16-be"),
        (b"a\0b,c\n", "it holds a NUL", "write it again"),
        (b"PK\x03\x04\xff", "an Excel or zip file", "as CSV in UTF-8"),
        (b"\xff\xd8\xff\xe0 a photo", "a JPEG photo", "as CSV in UTF-8"),
    ],
)
def test_other_bytes_are_refused_with_what_they_look_like(data: bytes, why: str, fix: str) -> None:
    with pytest.raises(MaskkitError, match="t is not a text") as caught:
        decoded(data, title="t", option=True)
    assert why in caught.value.why
    assert fix in caught.value.fix
    with pytest.raises(MaskkitError) as caught:
        decoded(data, title="t")
    assert "--encoding" not in caught.value.fix or "cp1252" in fix


def test_a_text_that_is_not_in_the_encoding_given_is_refused() -> None:
    with pytest.raises(MaskkitError, match="t is not a text in CP949"):
        decoded(b"\xff\n", title="t", encoding="cp949", option=True)


@pytest.mark.parametrize(("name", "known"), [("CP949", "cp949"), ("ms949", "cp949"), ("UTF8", "utf-8")])
def test_an_encoding_has_several_names(name: str, known: str) -> None:
    assert known_encoding(name) == known


@pytest.mark.parametrize("name", ["zip", "rot13", "unicode_escape", "nothing", "", "a\0b", "idna"])
def test_what_no_table_is_in_is_no_encoding(name: str) -> None:
    with pytest.raises(MaskkitError, match="there is no encoding") as caught:
        known_encoding(name)
    assert "cp949" in caught.value.why


@pytest.mark.parametrize(
    ("text", "number"),
    [("25", 25), (" 25.5 ", 25.5), ("-1", -1), ("+.5", 0.5), ("1e2", 100), ("15.", 15), ("15.0", 15)],
)
def test_numbers_are_read_as_tables_write_them(text: str, number: float) -> None:
    assert number_of(text) == number


WIDE = "\uff12\uff15"  # 25 in the digits of a Korean keyboard


@pytest.mark.parametrize("text", ["2_5", "inf", "-Infinity", "1e999", "0x1f", "1,5", "세", WIDE, "1 2", "-"])
def test_what_python_alone_calls_a_number_is_none(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN"])
def test_what_is_missing_is_no_number_but_known_to_be_so(text: str) -> None:
    number = number_of(text)
    assert number is not None
    assert isnan(number)


def test_names_that_are_not_utf8_are_printed_byte_by_byte_and_guessed() -> None:
    name = os.fsdecode("마스크.jpg".encode("cp949"))
    assert not is_utf8(name)
    assert is_utf8("마스크.jpg")
    assert readable(name) == r"\xb8\xb6\xbd\xba\xc5\xa9.jpg"
    assert foreign_name(name) == "its name is not UTF-8; in CP949 it is 마스크.jpg"
    assert foreign_name(f"한국/{name}").endswith("in CP949 it is 한국/마스크.jpg")
    assert foreign_name(os.fsdecode(b"\xff\xfe.jpg")) == "its name is not UTF-8"
    assert readable("마스크.jpg") == "마스크.jpg"
    assert readable("\ud800.jpg") == r"\xed\xa0\x80.jpg"


def test_letters_are_composed() -> None:
    assert composed(unicodedata.normalize("NFD", "한국")) == "한국"
    assert composed("abc") == "abc"
