import time
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import Integers
from maskkit.scoring.paired import held_together, paired
from maskkit.scoring.results import Estimate
from maskkit.scoring.run_comparison import Versus

SMALL = LabelSpace((Factor("mask", ("wear", "none")), Factor("age", ("young", "old"))))
ONE = LabelSpace((Factor("helmet", ("on", "off", "none")),))


def some_models(
    people: int, *, classes: int = 4, alike: float = 0.8, models: int = 2, photos: int = 5, seed: int = 0
) -> tuple[Integers, list[Integers], Integers]:
    """Models that are right about seven times in ten, and mostly say what the first says."""
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), photos)
    truth = generator.integers(0, classes, size=people)[person]

    def answers() -> Integers:
        guess = generator.integers(0, classes, size=len(truth))
        return np.where(generator.random(len(truth)) < 0.7, truth, guess)

    first = answers()
    others = [np.where(generator.random(len(truth)) < alike, first, answers()) for _ in range(models - 1)]
    return truth, [first, *others], person


def bounds(one: Estimate) -> tuple[float, float]:
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


def slow_macro_f1(pairs: list[tuple[int, int]]) -> float:
    """Return the mean F1 over the classes in truth or answers, photo by photo."""
    support, answered, hits = Counter[int](), Counter[int](), Counter[int]()
    for truth, answer in pairs:
        support[truth] += 1
        answered[answer] += 1
        hits[truth] += truth == answer
    classes = support.keys() | answered.keys()
    return sum(2 * hits[one] / (support[one] + answered[one]) for one in classes) / len(classes)


def test_scores_as_scikit_learn_does() -> None:
    truth, answers, person = some_models(40)
    found = paired(truth, answers, space=SMALL, person=person)
    f1 = [f1_score(truth, answer, average="macro") for answer in answers]
    accuracy = [accuracy_score(truth, answer) for answer in answers]
    ages = [accuracy_score(truth % 2, answer % 2) for answer in answers]
    assert [own["macro_f1"].value for own in found.own] == pytest.approx(f1)
    (difference,) = found.difference
    assert list(difference) == ["macro_f1", "accuracy", "mask_accuracy", "age_accuracy"]
    assert difference["macro_f1"].value == pytest.approx(f1[1] - f1[0])
    assert difference["accuracy"].value == pytest.approx(accuracy[1] - accuracy[0])
    assert difference["age_accuracy"].value == pytest.approx(ages[1] - ages[0])
    assert (found.photos, found.people) == (200, 40)


def test_the_interval_of_many_people_is_that_of_a_slow_bootstrap_over_people() -> None:
    truth, answers, person = some_models(300, photos=3)
    generator = np.random.default_rng(1)
    photos = [
        [(truth[row], answers[0][row], answers[1][row]) for row in np.flatnonzero(person == one)]
        for one in range(300)
    ]
    slow = []
    for _ in range(600):
        drawn = [photo for one in generator.integers(0, 300, size=300) for photo in photos[one]]
        first, second = (slow_macro_f1([(photo[0], photo[model]) for photo in drawn]) for model in (1, 2))
        slow.append(second - first)
    found = paired(truth, answers, space=SMALL, person=person)
    low, high = np.quantile(slow, [0.025, 0.975])
    assert bounds(found.difference[0]["macro_f1"]) == pytest.approx((low, high), abs=0.12 * (high - low))


def test_is_far_narrower_than_intervals_of_models_apart() -> None:
    truth, answers, person = some_models(150, alike=0.95)
    found = paired(truth, answers, space=SMALL, person=person)
    own = [np.subtract(*bounds(one["macro_f1"])[::-1]) for one in found.own]
    both = np.subtract(*bounds(found.difference[0]["macro_f1"])[::-1])
    assert both < 0.5 * min(own)


def test_own_intervals_are_those_of_an_evaluation() -> None:
    truth, answers, person = some_models(150)
    found = paired(truth, answers, space=SMALL, person=person)
    alone = score(truth, answers[0], space=SMALL, person=person)
    assert found.own[0]["macro_f1"] == alone.macro_f1
    assert found.own[0]["age_accuracy"] == alone.factors[1].accuracy


def test_finds_a_difference_that_is_there_and_none_between_a_model_and_itself() -> None:
    truth, answers, person = some_models(150)
    better = np.where(np.arange(len(truth)) % 4 == 0, truth, answers[0])
    difference = paired(truth, [answers[0], better], space=SMALL, person=person).difference[0]["macro_f1"]
    assert bounds(difference)[0] > 0
    same = paired(truth, [answers[0], answers[0]], space=SMALL, person=person).difference[0]["macro_f1"]
    low, high = bounds(same)
    assert same.value == 0
    assert -0.02 < low <= 0 <= high < 0.02  # on other people they might differ a little


def test_claims_a_difference_between_equal_models_about_as_often_as_it_says() -> None:
    claimed = 0
    for trial in range(200):
        generator = np.random.default_rng(trial)
        skill = generator.beta(7, 3, size=60)[np.repeat(np.arange(60), 5)]
        answers = [(generator.random(300) > skill).astype(np.int64) for _ in range(2)]
        found = paired(
            np.zeros(300, dtype=np.int64),
            answers,
            space=SMALL,
            person=np.arange(300) // 5,
        )
        low, high = bounds(found.difference[0]["accuracy"])
        claimed += not low <= 0 <= high
    assert 2 <= claimed <= 20  # 10 expected


def test_widens_intervals_so_that_several_hold_together() -> None:
    truth, answers, person = some_models(100, models=4)
    several = paired(truth, answers, space=SMALL, person=person)
    alone = paired(truth, answers[:2], space=SMALL, person=person)
    assert several.confidence_of_difference == held_together(0.95, 3) == pytest.approx(1 - 0.05 / 3)
    assert alone.confidence_of_difference == 0.95
    wide, narrow = (bounds(one.difference[0]["macro_f1"]) for one in (several, alone))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    among = paired(truth, answers[:2], space=SMALL, person=person, comparisons=3)
    assert among.confidence_of_difference == several.confidence_of_difference


def test_counts_who_is_right_where_they_disagree() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1, 2])
    first = np.array([0, 0, 1, 1, 0, 0, 0])
    second = np.array([0, 1, 0, 1, 1, 0, 2])
    person = np.array([0, 0, 0, 1, 1, 2, 3])
    (only,) = paired(truth, [first, second], space=ONE, person=person).only
    assert (only.both, only.first, only.second, only.neither) == (2, 1, 3, 1)
    assert (only.people_first, only.people_second) == (0, 2)  # of person 0 both have two photos right


def test_does_not_depend_on_the_order_of_rows() -> None:
    truth, answers, person = some_models(50)
    order = np.random.default_rng(0).permutation(len(truth))
    shuffled = paired(truth[order], [one[order] for one in answers], space=SMALL, person=person[order])
    assert shuffled == paired(truth, answers, space=SMALL, person=person)


def test_a_single_factor_is_not_said_twice_and_one_person_gives_no_interval() -> None:
    truth, answers, _ = some_models(1, classes=3)
    found = paired(truth, answers, space=ONE, person=np.zeros(5, dtype=np.int64))
    assert list(found.own[0]) == ["macro_f1", "accuracy"]
    assert found.difference[0]["accuracy"].low is None


def test_compares_on_the_competition_in_well_under_a_second() -> None:
    truth, answers, person = some_models(650, classes=18, photos=7)
    start = time.process_time()
    paired(truth, answers, space=HOME, person=person)
    assert time.process_time() - start < 1  # 0.15 here


def test_a_difference_as_large_as_it_names_is_seen_eight_times_in_ten() -> None:
    seen, named = 0, []
    for trial in range(150):
        truth, answers, person = some_models(200, alike=0.7, seed=trial)
        generator = np.random.default_rng(trial)
        better = np.where(generator.random(len(truth)) < 0.145, truth, answers[1])
        found = paired(truth, [answers[0], better], space=SMALL, person=person)
        low, _ = bounds(found.difference[0]["macro_f1"])
        seen += low > 0
        versus = Versus("b", "a", 0.95, found.difference[0], found.only[0], None, 0, 0, "")
        assert versus.detectable is not None
        named.append(versus.detectable)
    assert np.mean(named) == pytest.approx(0.031, abs=0.003)  # the true difference
    assert 0.7 < seen / 150 < 0.9


def test_caution_for_few_mistakes_does_not_widen_a_difference() -> None:
    person, truth = np.repeat(np.arange(60), 4), np.repeat(np.arange(60) % 4, 4)
    once = np.where(person == 7, (truth + 1) % 4, truth)  # one person is wrong, and all else is right
    low, high = bounds(paired(truth, [truth, once], space=SMALL, person=person).difference[0]["macro_f1"])
    assert -0.09 < low < -0.04
    assert high < 0.012
