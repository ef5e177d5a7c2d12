import numpy as np
import pytest

from maskkit.labels import HOME
from maskkit.scoring.intervals import (
    Bounds,
    around,
    class_intervals,
    f1_of_share,
    mean_interval,
    of_levels,
    share_interval,
    wilson,
)
from maskkit.scoring.kinds import kinds_of_people
from maskkit.scoring.metrics import Counts, macro_f1
from maskkit.scoring.tally import Tally


def tallied(truth: Counts, answer: Counts, person: Counts, classes: int = 18) -> Tally:
    patterns, photo = np.unique(np.stack([truth, answer]), axis=1, return_inverse=True)
    return Tally.of_classes(kinds_of_people(photo, person), patterns[0], list(patterns[1:]), classes=classes)


def some_people(people: int, seed: int, *, old: float = 0.1) -> tuple[Counts, Counts, Counts]:
    """Draw people whose gender and age are mistaken together on their photos, and some photos besides."""
    generator = np.random.default_rng(seed)
    gender = generator.random(people) < 0.6
    age = np.digitize(generator.random(people), [0.45, 1 - old])
    person = np.repeat(np.arange(people), 7)
    mask = np.tile([0, 0, 0, 0, 0, 1, 2], people)
    seen_gender = np.where(generator.random(people) < 0.06, ~gender, gender)[person]
    younger = (generator.random(people) < 0.15)[person] | (generator.random(7 * people) < 0.1)
    seen_age = np.maximum(age[person] - younger, 0)
    truth = mask * 6 + (gender * 3 + age)[person]
    return truth, mask * 6 + seen_gender * 3 + seen_age, person


def test_wilson_gives_the_published_intervals() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    shares = np.array([81 / 263, 15 / 148, 0, 1 / 29])
    low, high = wilson(shares, np.array([263, 148, 20, 29.0]), np.array(1.96))
    assert low == pytest.approx([0.2553, 0.0624, 0, 0.0061], abs=1e-4)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=1e-4)


def test_f1_is_the_jaccard_index_on_another_scale() -> None:
    assert f1_of_share(np.array([0, 0.5, 1])).tolist() == [0, pytest.approx(2 / 3), 1]


def test_a_sum_reaches_as_far_as_its_parts_do_together() -> None:
    up, down = np.array([0.2, 0.1]), np.array([0.1, 0.3])
    apart = Bounds(np.array([0.5, 0.4]), down, up, np.eye(2))
    assert apart.total(np.ones(2)) == pytest.approx((0.9, 0.9 - np.hypot(0.1, 0.3), 0.9 + np.hypot(0.2, 0.1)))
    together = Bounds(np.array([0.5, 0.4]), down, up, np.ones((2, 2)))
    assert together.total(np.ones(2)) == pytest.approx((0.9, 0.5, 1.2))
    # of a difference the far ends of the two face each other
    assert apart.total(np.array([-1.0, 1.0])) == pytest.approx(
        (-0.1, -0.1 - np.hypot(0.2, 0.3), -0.1 + np.hypot(0.1, 0.1))
    )


def test_classes_are_of_levels_that_all_have_photos() -> None:
    photos = np.zeros(18)
    photos[[0, 7]] = 5  # wear/male/<30 and incorrect/male/30-59
    assert np.flatnonzero(of_levels(photos, HOME.shape)).tolist() == [0, 1, 6, 7]


def test_a_class_that_people_could_have_widens_the_interval_and_one_that_nobody_has_is_0() -> None:
    truth, answer, person = some_people(150, 0, old=0.2)
    kept = truth != 2  # nobody here is wear/female/>=60, while others of these levels are there
    whole = class_intervals(tallied(truth, answer, person), HOME.shape).macro_f1
    without = kept & (answer != 2)
    unseen = class_intervals(tallied(truth[without], answer[without], person[without]), HOME.shape).macro_f1
    assert unseen[1] - unseen[0] > whole[1] - whole[0]
    young = truth % 3 < 2  # nobody is old, and some are taken to be
    said = np.where(np.arange(len(truth)) % 50 == 0, truth // 3 * 3 + 2, truth)
    nobodys = tallied(truth[young], said[young], person[young])
    found = class_intervals(nobodys, HOME.shape).macro_f1
    assert found[1] < 13 / 18  # of 18 classes that count, six are 0 for certain


def test_a_class_of_levels_that_people_have_may_have_any_score() -> None:
    truth, person = np.tile([0, 1, 2], 2000), np.arange(6000)
    right = class_intervals(tallied(truth, truth, person, 4), (2, 2))
    assert right.macro_f1 == pytest.approx((3 / 4, 1), abs=1e-3)  # the fourth class may be 0, or 1
    wrong = np.where(truth == 0, 1, truth)
    found = class_intervals(tallied(truth, wrong, person, 4), (2, 2))
    others = 0 + 2 / 3 + 1
    assert found.macro_f1 == pytest.approx((others / 4, (others + 1) / 4), abs=0.01)


def test_a_class_of_a_level_that_nobody_has_is_0_and_counts_once_it_is_answered() -> None:
    truth, person = np.tile([0, 2], 2000), np.arange(4000)
    answer = truth.copy()
    answer[::200] = 1  # of the second level, which nobody has; 3 is of it too, and may be answered next
    low, high = class_intervals(tallied(truth, answer, person, 4), (2, 2)).macro_f1
    assert (low, high) == pytest.approx((2 / 4, 2 / 3), abs=0.01)


def test_the_middle_is_above_the_value_which_is_too_low_of_few_people() -> None:
    gaps = []
    for seed in range(30):
        truth, answer, person = some_people(60, seed)
        middle = class_intervals(tallied(truth, answer, person), HOME.shape).middle
        confusion = np.bincount(truth * 18 + answer, minlength=324).reshape(18, 18)
        gaps.append(middle - float(macro_f1(confusion)))
    assert np.mean(gaps) > 0


@pytest.mark.parametrize("people", [40, 150])
def test_intervals_hold_the_truth_about_as_often_as_they_say(people: int) -> None:
    truth, answer, _ = some_people(100_000, 99)
    confusion = np.bincount(truth * 18 + answer, minlength=324).reshape(18, 18)
    f1, accuracy = float(macro_f1(confusion)), np.trace(confusion) / confusion.sum()
    held = np.zeros(2)
    for seed in range(200):
        truth, answer, person = some_people(people, seed)
        low, high = class_intervals(tallied(truth, answer, person), HOME.shape).macro_f1
        right = Tally.of_right(
            kinds_of_people((truth == answer).astype(np.int64), person), [np.array([False, True])]
        )
        bottom, top = share_interval(right)
        held += [low <= f1 <= high, bottom <= accuracy <= top]
    assert (held >= 178).all()  # 190 expected; the bootstrap of 40 people has 174
    assert (held <= 199).all()


def test_a_mean_over_photos_has_students_interval_over_people() -> None:
    values = np.array([1.0, 1, 2, 2, 4, 4])
    low, high = mean_interval(values, np.array([0, 0, 1, 1, 2, 2]))
    half = 4.3027 * np.std([1, 2, 4], ddof=1) / np.sqrt(3)
    assert (low, high) == pytest.approx((7 / 3 - half, 7 / 3 + half), abs=1e-3)


def test_an_interval_holds_its_value() -> None:
    assert around(0.2, (0.3, 0.5)).low == 0.2
    assert around(0.7, (0.3, 0.5)).high == 0.7
    assert around(0.2, None).low is None
