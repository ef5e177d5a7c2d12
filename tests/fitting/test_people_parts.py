"""Parts of people by which a fit is judged."""

import numpy as np
import pytest

from maskkit.errors import MaskkitError
from maskkit.fitting.people_parts import PARTS, parts_of_people

PERSON = np.repeat(np.arange(40), 7)
TRUTH = np.repeat(np.arange(40) % 4, 7)


def test_no_person_is_divided_and_parts_are_alike_in_classes() -> None:
    part = parts_of_people(TRUTH, PERSON, classes=4, seed=0)
    assert all(len(np.unique(part[person == PERSON])) == 1 for person in range(40))
    counts = np.array([np.bincount(TRUTH[part == one], minlength=4) for one in range(PARTS)])
    assert (counts == 14).all()  # two people of each class


def test_a_photo_without_a_person_is_a_person_of_its_own() -> None:
    part = parts_of_people(np.zeros(10, np.int64), np.full(10, -1), classes=2, seed=0)
    assert np.bincount(part).tolist() == [2] * PARTS


def test_fewer_people_than_parts_make_fewer_parts_unless_they_are_too_few() -> None:
    assert set(parts_of_people(TRUTH[:21], PERSON[:21], classes=4, seed=0, fewest=3)) == {0, 1, 2}
    with pytest.raises(MaskkitError, match="there are 3 people to fit to"):
        parts_of_people(TRUTH[:21], PERSON[:21], classes=4, seed=0)
