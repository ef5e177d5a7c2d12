from __future__ import annotations

import pytest

from maskkit.imaging.faces.detection import Face, is_plausible, the_person


def face(x: float, y: float, size: float = 0.3, score: float = 0.8) -> Face:
    """A face with its centre at (x, y), `size` of the photo wide and high."""
    return Face((x - size / 2, y - size / 2, x + size / 2, y + size / 2), score)


def test_no_face_is_nobody() -> None:
    assert the_person([]) is None


@pytest.mark.parametrize(
    ("person", "other"),
    [
        (face(0.5, 0.4, size=0.4), face(0.5, 0.6, size=0.2)),
        (face(0.5, 0.4, score=0.9), face(0.5, 0.6, score=0.5)),
        (face(0.5, 0.4), face(0.2, 0.4)),
        (face(0.5, 0.4, size=0.3), face(0.9, 0.9, size=0.35)),
        (face(0.4, 0.4, size=0.4), face(0.5, 0.5, size=0.1, score=0.99)),
    ],
    ids=["larger", "surer", "nearer the centre", "not in a corner", "not a small one behind"],
)
def test_the_person_is_the_large_sure_face_near_the_centre(person: Face, other: Face) -> None:
    assert the_person([person, other]) == the_person([other, person]) == person


def test_prominence_is_score_by_size_by_nearness() -> None:
    # 0.8 * 0.4 * (1 - 0.25 / 0.5 / sqrt 2) is 0.2069; 0.8 * 0.26 * 1 is 0.208, and 0.258 makes 0.2064.
    aside = face(0.25, 0.5, size=0.4)
    assert the_person([aside, face(0.5, 0.5, size=0.26)]) != aside
    assert the_person([aside, face(0.5, 0.5, size=0.258)]) == aside


@pytest.mark.parametrize(
    ("one", "fits"),
    [
        (face(0.5, 0.4), True),
        (face(0.5, 0.4, size=0.09), False),
        (face(0.5, 0.5, size=1.0), True),
        (face(0.1, 0.4), False),
        (face(0.9, 0.4), False),
        (face(0.5, 0.05, size=0.1), False),
        (face(0.5, 0.9, size=0.2), False),
        (Face((0.1, 0.4, 0.9, 0.6), 0.9), False),
        (Face((0.4, 0.05, 0.6, 0.95), 0.9), False),
        (Face((0.4, 0.4, 0.4, 0.6), 0.9), False),
    ],
    ids=["portrait", "tiny", "all", "left", "right", "top", "bottom", "flat", "tall", "empty"],
)
def test_a_portrait_has_its_face_in_the_middle_and_of_some_size(one: Face, fits: bool) -> None:
    assert is_plausible(one, height=100, width=100) is fits


def test_the_shape_of_a_face_is_judged_in_pixels() -> None:
    square = face(0.5, 0.5)
    assert is_plausible(square, height=240, width=100)
    assert not is_plausible(square, height=260, width=100)
