"""TOML is UTF-8, and no file of it takes more than a moment."""

from __future__ import annotations

import time

import pytest

from maskkit.errors import MaskkitError
from maskkit.toml_text import DEEPEST, LARGEST, MOST_KEYS, read_toml


def test_a_mark_of_utf8_is_fine() -> None:
    assert read_toml(b"\xef\xbb\xbfa = 1\r\n", title="t") == {"a": 1}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('a = "나이"\n'.encode("cp949"), "look like CP949"),
        ("a = 1\n".encode("utf-16"), "it is in UTF-16, and TOML is in UTF-8"),
        ("a = 1\n".encode("utf-32"), "it is in UTF-32"),
        ("a = 1\n".encode("utf-16-le"), "UTF-16 without its mark"),
    ],
)
def test_other_encodings_are_an_error_and_never_letters_that_nobody_wrote(data: bytes, why: str) -> None:
    with pytest.raises(MaskkitError, match=r"t (is not|cannot)") as caught:
        read_toml(data, title="t")
    assert why in caught.value.why
    assert "UTF-8" in caught.value.fix


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"{a=" * 900 + b"1" + b"}" * 900, "nested too deeply"),
        (b"a = " + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "nested more than 16 deep"),
        (b"a = " + b"9" * 5000, "not TOML"),
        (b"a = " + b"9" * 30, "more than 64 bits"),
        (b"a." * 400_000 + b"a = 1", "more than 16 parts"),
        (b"a = {" + b'"a" . ' * 100_000 + b"a = 1}", "more than 16 parts"),
        (b"\n".join(b"k%d = 1" % index for index in range(MOST_KEYS + 1)), "more than 20,000 keys"),
        (b"a" * LARGEST, "not TOML"),
        (b"a" * (LARGEST + 1), "are read at most"),
        (b'a = "\\u0000"', "holds a NUL"),
        (b'"\\u0000" = 1', "holds a NUL"),
        (b"a = 1 b = 2", "not TOML"),
    ],
)
def test_what_nobody_writes_is_refused_at_once(data: bytes, why: str) -> None:
    start = time.process_time()
    with pytest.raises(MaskkitError, match="t cannot be read as TOML") as caught:
        read_toml(data, title="t")
    assert why in caught.value.why
    assert time.process_time() - start < 2


def test_a_key_of_sixteen_parts_and_tables_as_deep_are_read() -> None:
    assert read_toml(b".".join([b"a"] * DEEPEST) + b" = 1", title="t")
    assert read_toml(b"a = 'www.example.com'\nb = '1.2.3'", title="t") == {
        "a": "www.example.com",
        "b": "1.2.3",
    }
