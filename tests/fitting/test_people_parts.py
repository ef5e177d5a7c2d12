"""Parts of people by which a fit is judged."""

import numpy as np
import pytest
from members import drawn_panel, judged_of
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.fitting.people_parts import PARTS, parts_of_people
from maskkit.labels import Factor, LabelSpace
from maskkit.scoring.judged import Judged

PERSON = np.repeat(np.arange(40), 7)
TRUTH = np.repeat(np.arange(40) % 4, 7)
FOUR = LabelSpace((Factor("kind", ("a", "b", "c", "d")),))


def judged(truth: NDArray[np.int64], person: NDArray[np.int64]) -> Judged:
    return judged_of(drawn_panel(truth, classes=4), truth, person, space=FOUR)


def test_no_person_is_divided_and_parts_are_alike_in_classes() -> None:
    part = parts_of_people(judged(TRUTH, PERSON), seed=0)
    assert all(len(np.unique(part[person == PERSON])) == 1 for person in range(40))
    counts = np.array([np.bincount(TRUTH[part == one], minlength=4) for one in range(PARTS)])
    assert (counts == 14).all()  # two people of each class


def test_a_photo_without_a_person_is_a_person_of_its_own() -> None:
    part = parts_of_people(judged(np.zeros(10, np.int64), np.full(10, -1)), seed=0)
    assert np.bincount(part).tolist() == [2] * PARTS


def test_fewer_people_than_parts_make_fewer_parts_unless_they_are_too_few() -> None:
    assert set(parts_of_people(judged(TRUTH[:21], PERSON[:21]), seed=0, fewest=3)) == {0, 1, 2}
    with pytest.raises(MaskkitError, match="there are 3 people to fit to"):
        parts_of_people(judged(TRUTH[:21], PERSON[:21]), seed=0)
