from __future__ import annotations

import numpy as np
import pytest

from maskkit.auditing.confident import confident, of_factor, of_person


def test_a_label_is_suspect_if_another_class_passes_its_own_threshold() -> None:
    """By hand: the thresholds are the means (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.8 + 0.6 + 0.7) / 3 = 0.7."""
    probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    found = confident(probs, np.array([0, 0, 0, 1, 1, 1]), is_ordered=False)
    assert found.suspect(1).tolist() == [False, False, True, False, False, False]
    assert (found.likely[2], found.own[2], found.other[2]) == (1, 0.1, 0.9)
    assert found.sureness[[2, 4]] == pytest.approx([0.9 / 0.7, 0.6 / 0.7])
    assert found.distance[2] == pytest.approx(0.9)


def test_classes_on_which_models_are_unsure_are_not_suspected_wholesale() -> None:
    """Models say 0.6 of the common class even for the rare one, as they do where few are to learn from."""
    probs = np.array([[0.9, 0.1]] * 9 + [[0.6, 0.4]] * 3)
    found = confident(probs, np.array([0] * 9 + [1] * 3), is_ordered=False)
    assert not found.suspect(1).any()


def test_ordered_classes_count_steps() -> None:
    probs = np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]])
    given = np.array([0, 1])
    assert confident(probs, given, is_ordered=True).distance == pytest.approx([1.6, 0.8])
    assert confident(probs, given, is_ordered=False).distance == pytest.approx([0.9, 0.8])


def test_unknown_labels_are_neither_suspect_nor_counted() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.0, 1.0]])
    found = confident(probs, np.array([0, 1, -1]), is_ordered=False)
    assert found.suspect(1).tolist() == [False, False, False]
    assert np.isnan(found.own[2])


def test_a_class_that_no_label_names_is_never_likely() -> None:
    found = confident(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 0]), is_ordered=False)
    assert not found.suspect(1).any()


def test_a_person_is_judged_by_the_geometric_mean_of_the_photos() -> None:
    probs = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.0, 1.0]])
    means = of_person(probs, np.array([0, 0, -1, 2]), 3)
    ratio = np.sqrt(0.9 * 0.4 / (0.1 * 0.6))
    assert means[0] == pytest.approx([ratio / (1 + ratio), 1 / (1 + ratio)])
    assert means[1] == pytest.approx([0.5, 0.5])
    assert means[2, 1] > 0.99


def test_a_factors_levels_are_summed_over_the_others() -> None:
    joint = np.arange(12, dtype=float).reshape(1, 12) / 66  # 2 x 3 x 2 classes
    assert of_factor(joint, (2, 3, 2), 0)[0] == pytest.approx(np.array([15, 51]) / 66)
    assert of_factor(joint, (2, 3, 2), 1)[0] == pytest.approx(np.array([14, 22, 30]) / 66)
    assert of_factor(joint, (2, 3, 2), 2)[0] == pytest.approx(np.array([30, 36]) / 66)
