"""JSON from anywhere: a value of the declared type, or a sentence that names the place."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from maskkit import typed_json
from maskkit.errors import MaskkitError
from maskkit.typed_json import Sha256, Text, Word, decoded, fitting

SHA = "0f" * 32


class Kept(msgspec.Struct):
    sha256: Sha256
    size: Annotated[int, Meta(ge=16, le=4096)] = 16
    std: Annotated[float, Meta(gt=0)] = 1.0
    options: dict[Word, Any] = {}
    kind: Literal["a", "b"] = "a"
    name: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    levels: Annotated[list[str], Meta(max_length=2)] = []
    path: Text = ""


def of(rest: str) -> str:
    return f'{{"sha256": "{SHA}", {rest}}}'


def refuse(why: str) -> MaskkitError:
    return MaskkitError("x.parquet is damaged", why=why, fix="make it again")


def why_not(text: str | bytes, **limits: int) -> str:
    with pytest.raises(MaskkitError, match=r"x\.parquet is damaged") as caught:
        decoded(text, Kept, refuse, **limits)
    return caught.value.why


def test_a_value_comes_as_its_type_and_unknown_names_are_passed_over() -> None:
    found = decoded(json.dumps({"sha256": SHA, "std": 2, "later": [1]}), Kept, refuse)
    assert (found.sha256, found.std, found.size) == (SHA, 2.0, 16)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "it has no 'sha256'"),
        ('{"sha256": 5}', "its sha256 should be a text, and is a whole number"),
        ('{"sha256": "A"}', "its sha256 should be 64 hexadecimal digits"),
        (f'{{"sha256": "{SHA}\\n"}}', "its sha256 should be 64 hexadecimal digits"),
        (of('"size": 15'), "its size should be a whole number from 16"),
        (of('"size": 4097'), "its size should be a whole number up to 4096"),
        (of('"size": true'), "its size should be a whole number, and is true or false"),
        (of('"std": 0'), "its std should be a number above 0.0"),
        (of('"options": {"--x y": 1}'), "a name in its options should be a word of"),
        (of('"kind": "c"'), "its kind cannot be 'c'"),
        (of('"name": ""'), "its name should be a text of at least 1 characters"),
        (of('"levels": ["a", 1]'), "its levels[1] should be a text, and is a whole"),
        (of('"levels": ["a", "b", "c"]'), "its levels should be a list of at most 2"),
        (of('"path": "a\\u0000"'), "its path should be a text without NUL"),
        ("[]", "it should be a table, and is a list"),
        ('{"a": 1, "a": 1}', "it has 'a' twice"),
        ('{"b": {"a": 1, "a": 1}}', "it has 'a' twice"),
        ('{"size": NaN}', "invalid character"),
        ('{"size": Infinity}', "invalid character"),
        ('{"size": 1e999}', "number out of range"),
        ('{"size": 1%s}' % ("0" * 400), "a number of 401 digits"),
        ('{"size": 1%s}' % ("0" * 5000), "out of range"),
        ('"\\ud800"', "truncated"),
        ('"\\ud800x\\udc00"', "surrogate"),
        (b'"\xff"', "can't decode byte 0xff"),
        ("\udcb0", "surrogates not allowed"),
        ("", "truncated"),
        ("{} x", "trailing characters"),
        ("[" * 33 + "]" * 33, "more than 32 lists and tables within each other"),
        ('{"a":' * 40 + "1" + "}" * 40, "more than 32 lists and tables within each other"),
        ("[" * 1_000_000, "more than 32 lists and tables within each other"),
    ],
)
def test_anything_else_is_refused_in_words_that_name_its_place(text: str | bytes, why: str) -> None:
    assert why in why_not(text)


def test_a_text_of_too_many_bytes_or_values_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert why_not(" " * 101, most=100) == "it has 101 bytes, and may have 100"
    monkeypatch.setattr(msgspec.json, "decode", None)
    started = time.perf_counter()
    assert "and may hold 2,000,000" in why_not("[" + "[]," * typed_json.MOST_VALUES)
    assert time.perf_counter() - started < 1


def test_the_place_of_a_part_stands_before_what_is_wrong_in_it() -> None:
    with pytest.raises(MaskkitError) as caught:
        fitting({"sha256": 1}, Kept, refuse, at="history[3].inputs[0]")
    assert caught.value.why == "its history[3].inputs[0].sha256 should be a text, and is a whole number"
    with pytest.raises(MaskkitError) as caught:
        fitting({}, Kept, refuse, at="seen")
    assert caught.value.why == "its seen has no 'sha256'"


def test_a_list_of_deepest_depth_is_read() -> None:
    text = "[" * typed_json.DEEPEST + "]" * typed_json.DEEPEST
    assert decoded(text, list[Any], refuse) == json.loads(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**64, 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["sha256", "size"]), inner),
    max_leaves=20,
)


@settings(max_examples=200)
@given(VALUES | st.text() | st.binary())
def test_whatever_it_holds_there_is_a_value_or_an_error_of_ours(value: object) -> None:
    text = value if isinstance(value, str | bytes) else json.dumps(value)
    with suppress(MaskkitError):
        assert isinstance(decoded(text, Kept, refuse), Kept)


@given(VALUES.filter(lambda value: value == value))
def test_plain_values_come_back_as_the_same_types(value: object) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
        found = decoded(text, Any, refuse)
    except (ValueError, MaskkitError):
        return
    assert json.dumps(found) == text
