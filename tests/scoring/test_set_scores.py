from __future__ import annotations

import numpy as np
import pytest

from maskkit.artifacts.answer_sets import AnswerSets, Promise
from maskkit.labels import Factor, LabelSpace
from maskkit.scoring.set_scores import SetScores, share_of_people, silence

TASK = LabelSpace((Factor("mask", ("on", "off")), Factor("gender", ("male", "female"))))
CLASSES = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0]], np.bool_)
LEVELS = (np.array([[1, 0], [1, 0], [1, 1], [0, 1]], np.bool_), np.array([[1, 0]] * 4, np.bool_))
SETS = AnswerSets(Promise(0.9, "mask"), CLASSES, LEVELS)
TRUTH, ANSWER, PERSON = np.array([0, 1, 3, 3]), np.array([0, 0, 3, 2]), np.array([0, 0, 1, -1])


def scored() -> SetScores:
    return SetScores.of(SETS, TRUTH, ANSWER, PERSON, space=TASK, confidence=0.95)


def test_each_person_weighs_the_same_and_each_photo_in_the_size() -> None:
    found = scored()
    assert (found.promised, found.per) == (0.9, "mask")
    assert (found.all.photos, found.all.people, found.all.size) == (4, 3, 7 / 4)
    assert found.all.coverage.value == pytest.approx((2 / 2 + 1 + 0) / 3)
    assert found.single == 0.5


def test_classes_and_levels_that_occur_are_scored_by_themselves() -> None:
    found = scored()
    assert [(one.name, one.coverage.value, one.photos) for one in found.classes] == [
        ("on/male", 1, 1), ("on/female", 1, 1), ("off/female", 0.5, 2)
    ]  # fmt: skip
    assert [(one.name, one.coverage.value, one.size) for one in found.levels["mask"]] == [
        ("on", 1, 1.5), ("off", 0.5, 2)
    ]  # fmt: skip
    assert [(one.name, one.coverage.value, one.size) for one in found.factors["gender"]] == [
        ("male", 1, 1), ("female", 0, 1)
    ]  # fmt: skip


def test_a_task_of_one_factor_has_its_sets_once() -> None:
    space = LabelSpace((Factor("letter", ("a", "b", "c", "d")),))
    found = SetScores.of(
        AnswerSets(Promise(0.9), CLASSES, ()), TRUTH, ANSWER, PERSON, space=space, confidence=0.95
    )
    assert [one.coverage for one in found.factors["letter"]] == [one.coverage for one in found.classes]


def test_silence_leaves_out_photos_with_larger_sets() -> None:
    by_hand = [(one.most, one.left_out, one.accuracy) for one in scored().silences]
    assert by_hand == [(1, 0.5, 0.5), (2, 0.25, pytest.approx(1 / 3)), (3, 0, 0.5)]
    assert scored().silences[1].macro_f1 == pytest.approx((2 / 3 + 0 + 0 + 0) / 4)
    assert silence(np.array([2, 3]), 1, TRUTH[:2], ANSWER[:2], classes=4) is None


def test_where_all_are_held_the_interval_says_how_few_they_are() -> None:
    """Wilson's of 20 of 20 with Student's 2.093 of 19 degrees: the lower end is 20 / (20 + 2.093^2)."""
    found = share_of_people(np.ones(140, np.bool_), np.repeat(np.arange(20), 7), 0.95)
    assert found.value == 1.0
    assert found.high == pytest.approx(1.0)
    assert found.low == pytest.approx(20 / (20 + 2.0930**2), abs=1e-4)
    assert share_of_people(np.ones(7, np.bool_), np.zeros(7, np.int64), 0.95).low is None


def test_the_interval_holds_the_share_of_people_to_come() -> None:
    random = np.random.default_rng(0)
    missed = np.zeros(2)
    for _ in range(400):
        chance = random.beta(3, 1 / 3, 60)  # 0.9 on average, and alike within people
        is_so = random.random((60, 7)) < chance[:, None]
        found = share_of_people(is_so.ravel(), np.repeat(np.arange(60), 7), 0.95)
        assert found.low is not None
        assert found.high is not None
        missed += found.low > 0.9, found.high < 0.9
    assert missed.max() < 0.05 * 400
    assert missed.sum() < 0.07 * 400
