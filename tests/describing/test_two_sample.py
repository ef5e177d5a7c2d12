"""The classifier two-sample test: against independent counts, and on sets that differ or do not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from maskkit.describing.set_comparison import differences, shares
from maskkit.describing.two_sample import Sample, auc_of, clustered_auc, two_sample
from maskkit.splitting.folds import stratified_group_folds


def deal(is_second: NDArray[np.bool_], group: NDArray[np.int64]) -> NDArray[np.int64]:
    names, codes = np.unique(group, return_inverse=True)
    counts = np.zeros((len(names), 2), np.int64)
    np.add.at(counts, (codes, is_second.astype(np.int64)), 1)
    return stratified_group_folds(counts, folds=5)[codes].astype(np.int64)


def people(count: int, *, shift: float = 0.0, unknown: bool = False, seed: int = 0) -> Sample:
    """Draw two sets of `count` people of seven near-copies each, who may be unknown in the second."""
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(2 * count), 7)
    second = person >= count
    look = random.normal(size=(2 * count, 3))[person] + random.normal(0, 0.1, (14 * count, 3))
    look[second, 0] += shift
    photo = np.arange(len(person))
    is_hidden = second & unknown
    return Sample(
        {name: look[:, column] for column, name in enumerate(("light", "colour", "noise"))},
        second,
        np.where(is_hidden, photo + len(person), person),
        photo,
        np.where(is_hidden, -1, person),
    )


def test_the_auc_is_that_of_scikit_learn_also_with_ties() -> None:
    random = np.random.default_rng(0)
    score, second = random.integers(0, 5, 200).astype(float), random.random(200) < 0.3
    assert auc_of(score, second) == pytest.approx(roc_auc_score(second, score))


def test_the_error_is_that_of_drawing_people_anew() -> None:
    sample = people(40, shift=0.8, seed=3)
    score, person = sample.features["light"], sample.group
    _, error = clustered_auc(score, sample.is_second, person)
    random, drawn = np.random.default_rng(0), []
    for _ in range(400):
        chosen = np.concatenate([random.integers(0, 40, 40), random.integers(40, 80, 40)])
        rows = np.concatenate([np.flatnonzero(person == one) for one in chosen])
        drawn.append(auc_of(score[rows], sample.is_second[rows]))
    assert error == pytest.approx(np.std(drawn), rel=0.15)
    _, naive = clustered_auc(score, sample.is_second, np.arange(len(score)))
    assert naive is not None
    assert error is not None
    assert naive < error / 2  # photos counted as people claim too much


def test_a_set_of_one_person_has_no_error() -> None:
    assert clustered_auc(np.arange(4.0), np.array([0, 0, 1, 1], bool), np.array([0, 1, 2, 2]))[1] is None


def test_sets_that_differ_are_told_apart_by_what_differs() -> None:
    found = two_sample(people(60, shift=2.0), deal)
    assert found.is_apart
    assert found.auc > 0.8
    assert found.losses[0][0] == "light"
    assert found.low is not None
    assert found.low < found.auc


def test_sets_that_do_not_differ_are_not_told_apart() -> None:
    found = [two_sample(people(30, seed=seed), deal, divisions=9).p for seed in range(4)]
    assert np.mean([p for p in found if p is not None]) > 0.2  # p is uniform there, from 0.1 to 1


def test_unknown_people_are_not_mistaken_for_a_difference() -> None:
    found = two_sample(people(60, unknown=True, seed=1), deal)
    assert found.same is not None
    assert found.same.is_of_one_set
    assert found.same.mean > 0.6  # it knows them again
    assert (found.low, found.is_apart) == (None, False)


def test_a_difference_is_found_though_people_are_unknown() -> None:
    found = two_sample(people(60, shift=3.0, unknown=True), deal)
    assert found.is_apart
    assert found.p == 1 / 20


def test_without_any_known_person_nothing_is_claimed() -> None:
    known = people(30, shift=2.0)
    nobody = Sample(known.features, known.is_second, known.twins, known.twins, np.full(len(known.person), -1))
    found = two_sample(nobody, deal)
    assert (found.low, found.p, found.same, found.is_apart) == (None, None, None, False)


def test_the_same_seed_gives_the_same_numbers() -> None:
    one, other = (two_sample(people(20), deal, divisions=2, seed=1) for _ in range(2))
    assert one == other


def test_standardised_differences_are_in_standard_deviations() -> None:
    first, second = (
        {"x": np.array([0.0, 2.0]), "flat": np.ones(2)},
        {"x": np.array([3.0, 5.0]), "flat": np.ones(2)},
    )
    found = {one.name: one for one in differences(first, second)}
    assert (found["x"].standardised, found["x"].auc) == (3.0, 1.0)
    assert (found["flat"].standardised, found["flat"].auc) == (None, 0.5)


def test_shares_name_what_either_set_has() -> None:
    found = shares([("JPEG RGB", 3), ("PNG RGB", 1)], [("PNG RGB", 1), ("JPEG L", 1)])
    assert [(one.name, one.first, one.second) for one in found] == [
        ("JPEG RGB", 0.75, 0.0),
        ("PNG RGB", 0.25, 0.5),
        ("JPEG L", 0.0, 0.5),
    ]
