from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_photos import DAMAGED, NONSENSE, ODD_TAGS, exif, oriented

from maskkit.imaging.orientation import orientation_of, tag_directory


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_finds_the_orientation_in_either_order_of_bytes(value: int, order: str) -> None:
    assert orientation_of(exif(oriented(value, order), order=order)) == value
    assert orientation_of(b"Exif\0\0" + exif(oriented(value, order), order=order)) == value


@pytest.mark.parametrize("name", NONSENSE)
def test_an_orientation_that_is_no_number_of_1_to_8_is_none(name: str) -> None:
    assert orientation_of(exif(NONSENSE[name])) == 1


@pytest.mark.parametrize("name", ODD_TAGS)
def test_other_tags_do_not_hide_it(name: str) -> None:
    assert orientation_of(exif(ODD_TAGS[name], oriented(6))) == 6


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_data_have_none(name: str) -> None:
    assert orientation_of(DAMAGED[name]) == 1


@pytest.mark.parametrize("text", [b'<a tiff:Orientation="6">', b"<tiff:Orientation>6</tiff:Orientation>"])
def test_xmp_is_asked_if_exif_has_no_such_tag(text: bytes) -> None:
    assert orientation_of(b"", text) == 6
    assert orientation_of(exif(ODD_TAGS["resolution as text"]), text) == 6
    assert orientation_of(exif(oriented(3)), text) == 3
    assert orientation_of(exif(NONSENSE["text"]), text) == 1


@given(
    st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"Exif\0\0II*\0\x08\0\0\0"]),
    st.binary(max_size=200),
)
def test_it_never_raises(head: bytes, rest: bytes) -> None:
    assert 1 <= orientation_of(head + rest, rest) <= 8
    tag_directory(head + rest)
