from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.errors import MaskkitError
from maskkit.sources.layouts import Listing
from maskkit.sources.people_from_names import with_people


def people(pattern: str, *paths: str) -> list[object]:
    listing = Listing(Path(), {"path": pa.chunked_array([pa.array(paths, pa.string())])})
    return list(with_people(listing, pattern, name="t").columns["person_id"].to_pylist())


def test_the_group_of_a_file_name_is_the_person_whatever_the_folder() -> None:
    assert people(r"(\d+)_.*", "ok/07_1.jpg", "bad/07_2.jpg", "9_x/8_1.jpg") == ["07", "07", "8"]


def test_the_whole_name_has_to_match() -> None:
    assert people(r"(\d+)\.jpg", "12.jpg", "12.jpg.jpg", "x12.jpg") == ["12", None, None]


def test_names_that_do_not_match_have_no_person_and_are_said(caplog: pytest.LogCaptureFixture) -> None:
    assert people(r"(\d*)_.*|x.*", "1_a.jpg", "_a.jpg", "x.jpg", "y.jpg") == ["1", None, None, None]
    assert "3 of 4 photos have no person" in caplog.text
    assert "_a.jpg, x.jpg, y.jpg" in caplog.text


def test_nothing_is_said_if_all_match(caplog: pytest.LogCaptureFixture) -> None:
    people(r"(.).*", "a.jpg")
    assert not caplog.records


def test_a_pattern_that_matches_no_name_is_refused() -> None:
    with pytest.raises(MaskkitError, match="finds no person in any of 2 names") as caught:
        people(r"(\d+)", "1_a.jpg", "2_a.jpg")
    assert "1_a.jpg, 2_a.jpg" in caught.value.why


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "no regular expression"),
        ("a{99999999999999999999}(b)", "no regular expression"),
        (r"\d+", "it has none"),
        (r"(\d+)_(.*)", "it has 2"),
    ],
)
def test_a_pattern_without_just_one_group_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(MaskkitError, match="--person-from is") as caught:
        people(pattern, "1_a.jpg")
    assert why in caught.value.why


def test_a_group_that_only_gathers_is_none() -> None:
    assert people(r"(?:a|b)(\d).*", "a1.jpg", "b2.jpg") == ["1", "2"]


def test_a_source_that_names_people_needs_no_pattern() -> None:
    columns = {name: pa.chunked_array([["1_a.jpg"]]) for name in ("path", "person_id")}
    with pytest.raises(MaskkitError, match="t names people itself"):
        with_people(Listing(Path(), columns), r"(\d+)_.*", name="t")
