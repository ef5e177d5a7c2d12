from __future__ import annotations

import pytest

from maskkit.errors import MaskkitError
from maskkit.options.rules import cuts_of, ignored_of


def test_whole_cuts_stay_whole_and_others_are_read_as_numbers() -> None:
    found = cuts_of(["age=30, 58", "height = -1.5,0,2e1"])
    assert found == {"age": [30, 58], "height": [-1.5, 0, 20]}
    assert [type(cut) for cut in found["age"]] == [int, int]


def test_what_a_factor_is_ignored_at_several_times_is_joined() -> None:
    assert ignored_of(["age=57-59,30", "mask=none", "age=-5--3"]) == {
        "age": ["57-59", "30", "-5--3"],
        "mask": ["none"],
    }


@pytest.mark.parametrize("text", ["age", "age=", "=30", "age=30,", "age=,30", ""])
def test_what_has_another_form_is_refused_with_the_form(text: str) -> None:
    for read in (cuts_of, ignored_of):
        with pytest.raises(MaskkitError) as caught:
            read([text])
        assert "FACTOR=VALUE" in caught.value.why


def test_cuts_are_numbers_and_are_given_once() -> None:
    with pytest.raises(MaskkitError, match="cuts age at 'old'"):
        cuts_of(["age=30,old"])
    with pytest.raises(MaskkitError, match="given twice for age"):
        cuts_of(["age=30,58", "age=30,59"])
