import numpy as np
import pytest

from maskkit.scoring.kinds import kinds_of_people
from maskkit.scoring.metrics import Counts
from maskkit.scoring.shares import shares
from maskkit.scoring.tally import Tally


def right_answers(right: Counts, person: Counts) -> Tally:
    return Tally.of_right(kinds_of_people(right, person), [np.array([False, True])])


def two_classes(truth: Counts, answers: list[Counts], person: Counts, classes: int = 2) -> Tally:
    patterns, photo = np.unique(np.stack([truth, *answers]), axis=1, return_inverse=True)
    return Tally.of_classes(kinds_of_people(photo, person), patterns[0], list(patterns[1:]), classes=classes)


def test_photos_that_agree_count_as_their_people_and_others_as_photos() -> None:
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(1000), 7)
    alike = (generator.random(1000) < 0.7).astype(np.int64)[person]
    apart = (generator.random(7000) < 0.7).astype(np.int64)
    assert shares(right_answers(alike, person)).effective[0] == pytest.approx(1000, rel=0.05)
    assert shares(right_answers(apart, person)).effective[0] == pytest.approx(7000, rel=0.1)


def test_photos_of_a_person_count_as_one_while_nobody_is_wrong() -> None:
    person = np.repeat(np.arange(40), 7)
    found = shares(right_answers(np.ones(280, np.int64), person))
    assert found.share[0] == 1
    assert found.effective[0] == pytest.approx(40, rel=0.01)


def test_a_share_is_moved_towards_the_mean_by_half_a_person() -> None:
    truth = np.array([0] * 40 + [1] * 2)
    answer = np.array([0] * 40 + [0] * 2)  # the second class is never found
    found = shares(two_classes(truth, [answer], np.arange(42) // 2))
    assert found.share[1] == 0
    middle = np.mean([(40 + 1) / (42 + 2), 1 / (2 + 2)])
    assert found.shrunk[1] == pytest.approx(middle / (2 + 1))  # half a person has one photo of it


def test_shares_of_the_same_people_vary_together() -> None:
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(300), 4)
    skilled = (generator.random(300) < 0.7)[person]
    truth = np.tile([0, 0, 1, 1], 300)
    together = shares(two_classes(truth, [np.where(skilled, truth, 1 - truth)], person))
    split = np.where(skilled == (truth == 0), truth, 1 - truth)  # one class is right where the other is wrong
    alone = shares(two_classes(truth, [split], person))
    assert together.correlation[0, 1] > 0.9
    assert alone.correlation[0, 1] < together.correlation[0, 1] - 0.2


def test_models_that_answer_alike_vary_together() -> None:
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(300), 4)
    truth = np.repeat(generator.integers(0, 2, size=300), 4)
    first, other = (np.where(generator.random(1200) < 0.7, truth, 1 - truth) for _ in range(2))
    alike = shares(two_classes(truth, [first, first], person), cautious=False).correlation
    unlike = shares(two_classes(truth, [first, other], person), cautious=False).correlation
    assert alike[0, 2] > 0.95
    assert unlike[0, 2] < 0.5


def test_a_class_of_few_people_who_are_all_right_goes_by_what_others_have_in_common() -> None:
    person = np.repeat(np.arange(203), 4)
    truth = np.where(person < 200, 0, 1)
    skilled = (np.random.default_rng(0).random(203) < 0.7)[person] | (person >= 200)
    counted = two_classes(truth, [np.where(skilled, truth, 2)], person, classes=3)
    found = shares(counted, cautious=False)
    assert found.share[1] == 1
    assert found.effective[1] == pytest.approx(4, rel=0.2)  # of three people, and not of twelve


def test_photos_of_people_never_count_for_more_than_photos() -> None:
    right = np.tile([0, 0, 1, 1], 50)  # of each person's photos exactly half: less than independent
    assert shares(right_answers(right, np.repeat(np.arange(50), 4))).effective[0] == 200


def test_while_few_are_wrong_shares_are_taken_to_vary_together() -> None:
    person = np.repeat(np.arange(100), 4)
    truth = np.tile([0, 0, 1, 1], 100)
    answer = truth.copy()
    answer[[0, 6]] = [2, 2]  # a person is wrong in one class, another in the other
    counted = two_classes(truth, [answer], person, classes=3)
    cautious, plain = (shares(counted, cautious=one).correlation[0, 1] for one in (True, False))
    assert cautious > plain + 0.1
