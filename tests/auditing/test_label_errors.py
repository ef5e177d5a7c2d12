from __future__ import annotations

import numpy as np
import pytest
from auditing_data import manifest_of, photos_of, sure_probs
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.auditing.findings import Finding, Proposal
from maskkit.auditing.label_errors import confident_learning, of_person, suspect_labels


def test_a_label_is_suspect_if_another_class_passes_its_own_threshold() -> None:
    """By hand: the thresholds are the means (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.8 + 0.6 + 0.7) / 3 = 0.7."""
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    found = confident_learning(probs, np.array([0, 0, 0, 1, 1, 1]), is_ordered=False)
    assert found.is_suspect.tolist() == [False, False, True, False, False, False]
    assert (found.likely[2], found.own[2], found.other[2]) == (1, 0.1, 0.9)
    assert found.distance[2] == pytest.approx(0.9)


def test_of_the_classes_above_their_thresholds_the_most_probable_is_likely_whatever_is_more_probable() -> (
    None
):
    """By hand: the thresholds are 0.8, 0.3 and 0.9; the last row's first class has most, and not enough."""
    probs = np.array([[0.9, 0.05, 0.05], [0.2, 0.3, 0.5], [0.05, 0.05, 0.9], [0.7, 0.3, 0.0]])
    given = np.array([0, 1, 2, 0])
    found = confident_learning(probs, given, is_ordered=False)
    assert found.is_suspect.tolist() == [False, False, False, True]
    assert (found.likely[3], found.other[3], found.own[3]) == (1, 0.3, 0.7)
    assert not confident_learning(probs, given, is_ordered=False, sureness=0.8).is_suspect[3]


def test_what_a_threshold_finds_stands_before_what_a_lower_one_finds() -> None:
    """By hand: the thresholds are 0.8, 0.2 and 0.9, or 0.64, 0.16 and 0.72."""
    probs = np.array(
        [[0.9, 0.05, 0.05], [0.2, 0.3, 0.5], [0.05, 0.05, 0.9], [0.7, 0.3, 0.0], [0.7, 0.1, 0.2]]
    )
    given = np.array([0, 1, 2, 0, 1])
    paper, lower = (confident_learning(probs, given, is_ordered=False, sureness=s) for s in (1.0, 0.8))
    assert np.flatnonzero(paper.is_suspect).tolist() == [3]
    assert np.flatnonzero(lower.is_suspect).tolist() == [4]
    both = paper.otherwise(lower)
    assert np.flatnonzero(both.is_suspect).tolist() == [3, 4]
    assert (both.likely[3:].tolist(), both.other[3:].tolist()) == ([1, 0], [0.3, 0.7])


@settings(max_examples=200, deadline=None)
@drawn(classes=st.integers(2, 18), seed=st.integers(0, 2**32 - 1), sureness=st.sampled_from([0.6, 0.95, 1.0]))
def test_suspects_are_those_of_equation_1_example_by_example(
    classes: int, seed: int, sureness: float
) -> None:
    random = np.random.default_rng(seed)
    probs = random.dirichlet(np.full(classes, random.choice([0.1, 1.0])), 60)
    given = np.array([random.choice(classes, p=row) for row in random.permutation(probs)])
    given[random.random(60) < 0.1] = -1
    usual = {one: probs[given == one, one].mean() for one in range(classes) if (given == one).any()}
    found = confident_learning(probs, given, is_ordered=False, sureness=sureness)
    for row, own in enumerate(given):
        sure_of = [one for one, mean in usual.items() if probs[row, one] >= sureness * mean]
        likely = max(sure_of or range(classes), key=lambda one: float(probs[row, one]))
        assert found.likely[row] == likely
        assert found.is_suspect[row] == (own >= 0 and bool(sure_of) and likely != own)


def test_classes_on_which_models_are_unsure_are_not_suspected_wholesale() -> None:
    """Models say 0.6 of the common class even for the rare one, as they do where few are to learn from."""
    probs = np.array([[0.9, 0.1]] * 9 + [[0.6, 0.4]] * 3)
    found = confident_learning(probs, np.array([0] * 9 + [1] * 3), is_ordered=False)
    assert not found.is_suspect.any()


def test_ordered_classes_count_steps() -> None:
    probs = np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]])
    given = np.array([0, 1])
    assert confident_learning(probs, given, is_ordered=True).distance == pytest.approx([1.6, 0.8])
    assert confident_learning(probs, given, is_ordered=False).distance == pytest.approx([0.9, 0.8])


def test_unknown_labels_are_neither_suspect_nor_counted() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.0, 1.0]])
    found = confident_learning(probs, np.array([0, 1, -1]), is_ordered=False)
    assert found.is_suspect.tolist() == [False, False, False]
    assert np.isnan(found.own[2])


def test_a_class_that_no_label_names_is_never_likely() -> None:
    found = confident_learning(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 0]), is_ordered=False)
    assert not found.is_suspect.any()


def test_a_person_is_judged_by_the_geometric_mean_of_the_photos() -> None:
    probs = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.0, 1.0]])
    means = of_person(probs, np.array([0, 0, -1, 2]), 3)
    ratio = np.sqrt(0.9 * 0.4 / (0.1 * 0.6))
    assert means[0] == pytest.approx([ratio / (1 + ratio), 1 / (1 + ratio)])
    assert means[1] == pytest.approx([0.5, 0.5])
    assert means[2, 1] > 0.99


def told(manifest: Manifest, truth: Manifest, **options: float) -> list[Finding]:
    """Audit with models that see the truth."""
    return list(suspect_labels(manifest, sure_probs(truth), **options))


def test_nothing_is_suspect_where_models_agree() -> None:
    manifest = manifest_of(photos_of(34))
    assert not told(manifest, manifest)


def test_a_whole_person_of_the_other_gender_is_one_finding_of_the_person() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    for row in rows[7:14]:
        row["gender"] = "male"
    (found,) = told(manifest_of(rows), truth)
    assert (found.kind, found.severity, found.person, found.row) == ("suspect:person", "high", "001", None)
    assert found.proposal == Proposal("gender", "male", "female")
    assert "7 of 7 photos agree" in found.evidence


def test_an_age_is_proposed_as_a_band_and_further_ones_come_first() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    for row in [*rows[:7], *rows[21:28]]:  # 20 and 29
        row["age"] = 66 if row["person_id"] == "003" else 45
    found = told(manifest_of(rows), truth)
    assert [one.person for one in found] == ["003", "000"]
    assert [one.proposal for one in found] == [
        Proposal("age", "66", "under30"),
        Proposal("age", "45", "under30"),
    ]
    assert found[0].confidence > found[1].confidence


def test_an_age_near_the_band_that_is_likely_is_ambiguous_and_not_reported() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    for row in rows[21:28]:  # 29
        row["age"] = 31
    assert not told(manifest_of(rows), truth)


def test_of_an_exchange_each_photo_needs_less_sureness() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    rows[5]["mask"], rows[6]["mask"] = "none", "incorrect"
    rows[20]["mask"] = "wear"
    manifest = manifest_of(rows)
    unsure = sure_probs(truth)
    unsure[[5, 6, 20]] = sure_probs(truth, sureness=0.7)[[5, 6, 20]]
    assert [one.row for one in suspect_labels(manifest, unsure)] == [5, 6]


def test_two_exchanged_photos_are_told_as_such_and_one_alone_is_not() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    rows[5]["mask"], rows[6]["mask"] = "none", "incorrect"
    rows[20]["mask"] = "wear"  # was none
    found = told(manifest_of(rows), truth)
    assert {(one.kind, one.row, one.other) for one in found} == {
        ("suspect:exchange", 5, "000/normal.jpg"),
        ("suspect:exchange", 6, "000/incorrect_mask.jpg"),
        ("suspect:photo", 20, None),
    }
    assert {one.row: one.proposal for one in found}[5] == Proposal("mask", "none", "incorrect")


def test_a_photo_of_nobody_known_is_judged_by_itself() -> None:
    rows = photos_of(34)
    for row in rows[7:9]:
        row["person_id"] = ""
    truth = manifest_of(rows)
    for row in rows[7:14]:
        row["gender"] = "male"
    found = told(manifest_of(rows), truth)
    assert {(one.kind, one.person, one.row) for one in found} == {
        ("suspect:photo", None, 7),
        ("suspect:photo", None, 8),
        ("suspect:person", "001", None),
    }


def test_only_what_is_sure_enough_is_reported() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    rows[20]["mask"] = "wear"
    manifest = manifest_of(rows)
    assert told(manifest, truth, sureness=0.9)
    assert not told(manifest, truth, sureness=1.2)


def test_rows_without_predictions_are_not_judged() -> None:
    rows = photos_of(34)
    truth = manifest_of(rows)
    rows[20]["mask"] = "wear"
    probs: NDArray[np.float32] = sure_probs(truth)
    probs[20] = np.nan
    assert not list(suspect_labels(manifest_of(rows), probs))
