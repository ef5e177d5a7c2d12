"""Ids that another program wrote in another way are matched if only one can be meant."""

from __future__ import annotations

import logging
import unicodedata

import pyarrow as pa
import pytest

from maskkit.artifacts.id_matching import places_of
from maskkit.errors import MaskkitError


def places(wanted: list[str], among: list[str]) -> list[int]:
    return places_of(pa.array(wanted), pa.array(among), names=("one", "other")).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("wanted", "among", "expected"),
    [
        (["a", "b"], ["b", "a", "c"], [1, 0]),
        (["000142", "000007"], ["7", "142"], [1, 0]),
        (["142", "7", "x"], ["000007", "000142"], [1, 0, -1]),
        (["142.0", "0"], ["000", "000142"], [1, 0]),
        (["000142", "7"], ["7", "9"], [-1, 0]),
        (["000142", "000143"], ["000143", "142"], [1, 0]),
        (["142.5", "0142a"], ["142", "142a"], [-1, -1]),
        (["142", "7"], ["x"], [-1, -1]),
    ],
)
def test_leading_zeros_that_were_lost_are_found(
    wanted: list[str], among: list[str], expected: list[int]
) -> None:
    assert places(wanted, among) == expected
    both = (pa.chunked_array([wanted[:1], wanted[1:]], pa.string()), pa.chunked_array([among], pa.string()))
    assert places_of(*both, names=("", "")).tolist() == expected


def test_what_was_matched_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        places(["a", "b"], ["b", "a"])
        assert caplog.messages == []
        places(["000142", "a"], ["142", "a"])
    (message,) = caplog.messages
    assert message.startswith(
        "1 ids of one differ from those of other by leading zeros alone, such as 000142 "
    )


@pytest.mark.parametrize(
    ("wanted", "among", "named"),
    [
        (["142"], ["0142", "00142"], "other has 0142 and 00142"),
        (["0142", "00142"], ["142"], "one has 0142 and 00142"),
        (["0142", "00142"], ["142", "00142"], "one has 0142 and 00142"),
    ],
)
def test_ids_that_could_be_one_or_the_other_are_refused(
    wanted: list[str], among: list[str], named: str
) -> None:
    with pytest.raises(MaskkitError, match="not known which id 142 is") as caught:
        places(wanted, among)
    assert named in caught.value.what
    assert "leading zeros" in caught.value.why


def test_the_form_of_unicode_does_not_matter() -> None:
    decomposed = unicodedata.normalize("NFD", "한국/a.jpg")
    assert places([decomposed, "b"], ["b", "한국/a.jpg"]) == [1, 0]
    assert places(["한국/a.jpg", "c"], [decomposed]) == [0, -1]
    assert places(["한국/a.jpg"], [decomposed, "한국/a.jpg"]) == [1]
