"""Properties of photos and kinds of pairs, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from maskkit.describing.looks import features, look, properties
from maskkit.describing.pairs import kind
from maskkit.imaging.survey import PROPERTIES


def looks(count: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    found = np.zeros(count, PROPERTIES)
    found["width"], found["height"], found["bytes"] = 30, 40, 2400
    found["format"], found["mode"] = b"JPEG", b"RGB"
    found["brightness"] = np.arange(count) / count
    found["sharpness"] = 1
    return found


def test_shape_and_compression_follow_from_size_and_bytes() -> None:
    found = properties(looks(2))
    assert found["aspect"].tolist() == [0.75, 0.75]
    assert found["kilobytes"].tolist() == [2.4, 2.4]
    assert found["bytes per pixel"].tolist() == [2, 2]


def test_a_classifier_is_not_told_the_size() -> None:
    assert not {"width", "height", "kilobytes"} & set(features(looks(2)))


def test_the_most_extreme_come_first_and_the_most_frequent_too() -> None:
    given = looks(4)
    given["width"][0] = 31
    names = ["a", "b", "c", "d"]
    found = look(given, names, (np.full(3, 0.4), np.full(3, 0.2)))
    assert found.extremes["darkest"] == ("a", "b", "c", "d")
    assert found.extremes["brightest"] == ("d", "c", "b", "a")
    assert found.sizes == (("30x40", 3), ("31x40", 1))
    assert found.formats == (("JPEG RGB", 4),)
    assert found.mean == pytest.approx((0.4, 0.4, 0.4))


def test_exact_pairs_are_named_before_near_ones_and_the_nearest_before_others() -> None:
    pairs = np.array([[0, 1], [0, 2], [1, 3], [2, 3]])
    found = kind(
        "all",
        np.array([True, True, True, False]),
        pairs,
        np.array([False, True, False, True]),
        np.array([3, 0, 1, 0]),
        ["a", "b", "c", "d"],
    )
    assert (found.exact, found.near) == (1, 2)
    assert [(one.one, one.other) for one in found.named] == [("a", "c"), ("b", "d"), ("a", "b")]
