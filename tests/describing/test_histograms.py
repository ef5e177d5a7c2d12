"""Histograms and spreads: nothing is lost, and edges are where a person looks for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.describing.histograms import ages, even_edges, spread


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
