"""Histograms and spreads: nothing is lost, and edges are where a person looks for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.describing.eda_results import duplicate_pairs
from maskkit.describing.photo_properties import (
    ages,
    even_edges,
    features,
    photo_properties,
    properties,
    spread,
)
from maskkit.imaging.survey import PROPERTIES


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_every_photo_is_in_one_bar(values: list[float]) -> None:
    found = spread("anything", np.array(values))
    assert sum(found.histogram.counts) == len(values)
    assert len(found.histogram.edges) == len(found.histogram.counts) + 1


def test_a_few_photos_unlike_the_others_are_seen() -> None:
    found = spread("width", np.array([384.0] * 999 + [400.0]))
    assert not found.is_constant
    assert found.histogram.counts[0] == 999
    assert found.histogram.counts[-1] == 1


def test_the_tails_count_in_the_last_bars() -> None:
    values = np.concatenate([np.linspace(0, 1, 998), [-1000, 1000]])
    found = spread("brightness", values)
    assert found.histogram.edges[-1] < 2
    assert sum(found.histogram.counts) == 1000


@given(st.integers(0, 90), st.integers(0, 90))
def test_cuts_are_edges_and_all_ages_lie_between_edges(one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    edges = even_edges(float(low), float(high), (30, 60))
    assert edges[0] <= low
    assert edges[-1] > high
    assert {cut for cut in (30, 60) if edges[0] < cut < edges[-1]} <= set(edges.tolist())


def test_counts_people_beside_the_cuts_once_each() -> None:
    numbers = np.array([28, 28, 29, 30, 31, 32, 58, np.nan, 60])
    person = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7])
    found = ages("age", numbers, person, (30, 60))
    assert found is not None
    assert found.near == ((2, 2), (1, 1))
    assert (sum(found.people.counts), sum(found.photos.counts)) == (7, 8)


def test_unknown_ages_alone_have_no_histogram() -> None:
    assert ages("age", np.array([np.nan]), np.array([0]), (30,)) is None


@pytest.mark.parametrize("age", [30, 45])
def test_a_single_age_has_a_bar(age: int) -> None:
    found = ages("age", np.array([float(age)]), np.array([0]), (30, 60))
    assert found is not None
    assert sum(found.people.counts) == 1


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
    found = photo_properties(given, names, (np.full(3, 0.4), np.full(3, 0.2)))
    assert found.extremes["darkest"] == ("a", "b", "c", "d")
    assert found.extremes["brightest"] == ("d", "c", "b", "a")
    assert found.sizes == (("30x40", 3), ("31x40", 1))
    assert found.formats == (("JPEG RGB", 4),)
    assert found.mean == pytest.approx((0.4, 0.4, 0.4))


def test_exact_pairs_are_named_before_near_ones_and_the_nearest_before_others() -> None:
    pairs = np.array([[0, 1], [0, 2], [1, 3], [2, 3]])
    found = duplicate_pairs(
        "all",
        np.array([True, True, True, False]),
        pairs,
        np.array([False, True, False, True]),
        np.array([3, 0, 1, 0]),
        ["a", "b", "c", "d"],
    )
    assert (found.exact, found.near) == (1, 2)
    assert [(one.one, one.other) for one in found.named] == [("a", "c"), ("b", "d"), ("a", "b")]
