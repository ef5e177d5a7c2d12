import json
import time
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import f1_score

from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import Integers

SMALL = LabelSpace((Factor("mask", ("wear", "none")), Factor("age", ("young", "old"))))


def some_answers(people: int, *, seed: int = 0) -> tuple[Integers, Integers, Integers]:
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), 7)
    demographics = generator.integers(0, 6, size=people)
    truth = np.tile([0, 0, 0, 0, 0, 6, 12], people) + demographics[person]
    guess = generator.integers(0, 18, size=len(truth))
    return truth, np.where(generator.random(len(truth)) < 0.7, truth, guess), person


def test_scores_each_class_factor_and_fold() -> None:
    truth = np.array([0, 0, 1, 2, 3, 3])
    answer = np.array([0, 1, 1, 2, 3, 0])
    person = np.array([0, 0, 0, 1, 2, 2])
    fold = np.array([0, 0, 0, 1, 1, 1])
    scores = score(truth, answer, space=SMALL, person=person, fold=fold)
    assert (scores.photos, scores.people, scores.photos_without_person) == (6, 3, 0)
    assert scores.accuracy.value == pytest.approx(4 / 6)
    assert scores.macro_f1.value == pytest.approx(f1_score(truth, answer, average="macro"))
    assert scores.confusion[0] == (1, 1, 0, 0)
    assert [one.name for one in scores.classes] == ["wear/young", "wear/old", "none/young", "none/old"]
    assert [one.photos for one in scores.classes] == [2, 1, 1, 2]
    assert [one.people for one in scores.classes] == [1, 1, 1, 1]
    mask, age = scores.factors
    assert mask.confusion == ((3, 0), (1, 2))
    assert mask.levels[1].recall == pytest.approx(2 / 3)
    assert mask.levels[0].people == 1
    assert age.accuracy.value == pytest.approx(4 / 6)


def test_gives_each_folds_own_score_and_their_spread() -> None:
    truth, answer, person = some_answers(60)
    fold = person % 3
    fold[person == 3] = -1
    folds = score(truth, answer, space=HOME, person=person, fold=fold).folds
    assert folds is not None
    own = [f1_score(truth[fold == k], answer[fold == k], average="macro") for k in range(3)]
    assert [one.macro_f1 for one in folds.each] == pytest.approx(own)
    assert [one.people for one in folds.each] == [19, 20, 20]
    assert [one.photos for one in folds.each] == [133, 140, 140]
    assert folds.macro_f1.mean == pytest.approx(np.mean(own))
    assert folds.macro_f1.deviation == pytest.approx(np.std(own, ddof=1))


def test_puts_every_value_inside_its_interval() -> None:
    truth, answer, person = some_answers(150)
    scores = score(truth, answer, space=HOME, person=person)
    factors = [part for factor in scores.factors for part in (factor.macro_f1, factor.accuracy)]
    levels = [level.f1 for factor in scores.factors for level in factor.levels]
    for estimate in [
        scores.macro_f1,
        scores.accuracy,
        *(one.f1 for one in scores.classes),
        *factors,
        *levels,
    ]:
        assert estimate.value is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high


def test_a_class_in_neither_truth_nor_answers_has_no_score_and_may_have_any() -> None:
    scores = score(np.array([0, 1]), np.array([0, 1]), space=SMALL)
    absent = scores.classes[3]
    assert (absent.precision, absent.recall, absent.f1.value) == (None, None, None)
    assert (absent.f1.low, absent.f1.high) == (0, 1)
    assert scores.macro_f1.value == 1


def test_a_class_of_few_people_that_is_never_answered_is_not_certain() -> None:
    truth, _, person = some_answers(60)
    never = np.where(truth == 5, 4, truth)
    never = np.where(never % 6 == 5, never - 1, never)
    found = score(truth, never, space=HOME, person=person).classes[5].f1
    assert found.value == found.low == 0
    assert found.high is not None
    assert 0.1 < found.high < 0.6


def test_too_few_people_are_said_to_be_too_few_where_nobody_has_a_level() -> None:
    truth, answer, person = some_answers(99)
    fewer = truth % 3 < 2
    some = score(truth[fewer], answer[fewer], space=HOME, person=person[fewer])
    assert (some.macro_f1.low, some.macro_f1.high) == (None, None)
    assert some.factors[2].macro_f1.low is None
    assert some.factors[1].macro_f1.low is not None
    assert some.accuracy.low is not None
    (limit,) = some.limits
    assert limit.startswith("too few people to say how far macro-F1 may be off: nobody here is age=")
    truth, answer, person = some_answers(160)
    fewer = truth % 3 < 2
    many = score(truth[fewer], answer[fewer], space=HOME, person=person[fewer])
    assert many.people >= 100
    assert many.limits == ()
    assert many.macro_f1.low is not None


def test_gives_no_interval_from_one_person() -> None:
    scores = score(np.array([0, 1, 0]), np.array([0, 1, 1]), space=SMALL, person=np.zeros(3, dtype=int))
    assert scores.accuracy.value == pytest.approx(2 / 3)
    assert (scores.accuracy.low, scores.accuracy.high) == (None, None)


def test_counts_photos_of_unknown_people_apart() -> None:
    scores = score(np.array([0, 1, 0]), np.array([0, 1, 1]), space=SMALL, person=np.array([4, 4, -1]))
    assert (scores.people, scores.photos_without_person) == (2, 1)
    assert score(np.array([0, 1]), np.array([0, 1]), space=SMALL).photos_without_person == 2


def test_writes_json_that_keeps_every_digit_and_the_order() -> None:
    truth, answer, person = some_answers(20)
    scores = score(truth, answer, space=HOME, person=person, fold=person % 2)
    data = asdict(scores)
    assert json.loads(json.dumps(data, allow_nan=False))["macro_f1"] == data["macro_f1"]
    assert list(data)[:5] == ["photos", "people", "photos_without_person", "macro_f1", "accuracy"]
    assert data["macro_f1"]["value"] == scores.macro_f1.value
    assert data["folds"]["each"][1]["fold"] == 1
    assert data["confusion"] == scores.confusion


def test_does_not_depend_on_the_order_of_rows_nor_on_the_numbers_of_people() -> None:
    truth, answer, person = some_answers(30)
    order = np.random.default_rng(0).permutation(len(truth))
    renamed = np.random.default_rng(1).permutation(30)[person]
    first = score(truth, answer, space=HOME, person=person)
    assert score(truth[order], answer[order], space=HOME, person=renamed[order]) == first


def test_scores_the_competition_in_seconds() -> None:
    truth, answer, person = some_answers(2700)
    start = time.process_time()
    score(truth, answer, space=HOME, person=person, fold=person % 5)
    assert time.process_time() - start < 5  # 0.6 here
