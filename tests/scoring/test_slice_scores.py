import numpy as np
import pytest
from sklearn.metrics import f1_score

from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.scoring.measuring import score
from maskkit.scoring.slice_columns import Cut
from maskkit.scoring.slice_scores import score_slices

SMALL = LabelSpace((Factor("mask", ("wear", "none")), Factor("age", ("young", "old"))))


def test_each_slice_is_scored_by_itself() -> None:
    truth = np.array([0, 0, 1, 2, 3, 3])
    answer = np.array([0, 1, 1, 2, 3, 0])
    person = np.array([0, 0, 0, 1, 2, 2])
    into = Cut(("first", "nobody", "second"), np.array([0, 0, 0, 2, 2, 2]))
    first, second = score_slices(truth, answer, into, space=SMALL, person=person)
    assert (first.name, first.photos, first.people, first.share) == ("first", 3, 1, 0.5)
    assert (second.name, second.photos, second.people) == ("second", 3, 2)
    assert first.accuracy.value == pytest.approx(2 / 3)
    assert first.accuracy.low is None  # one person
    assert second.accuracy.low is not None
    assert first.factors["age"].value == pytest.approx(2 / 3)
    assert first.factors["mask"].value == 1
    assert second.factors["mask"].value == pytest.approx(2 / 3)


def test_macro_f1_is_over_the_classes_that_the_slice_has() -> None:
    truth, answer = np.array([0, 0, 1, 1]), np.array([0, 3, 1, 1])
    (only,) = score_slices(truth, answer, Cut(("all",), np.zeros(4, np.int64)), space=SMALL)
    assert only.macro_f1.value == pytest.approx(f1_score(truth, answer, labels=[0, 1], average="macro"))
    assert only.macro_f1.value == pytest.approx((2 / 3 + 1) / 2)


def test_one_slice_of_all_photos_has_the_intervals_of_the_whole() -> None:
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 7)
    truth = random.integers(0, 18, len(person))
    answer = np.where(random.random(len(person)) < 0.7, truth, random.integers(0, 18, len(person)))
    whole = score(truth, answer, space=HOME, person=person)
    (only,) = score_slices(
        truth,
        answer,
        Cut(("all",), np.zeros(len(truth), np.int64)),
        space=HOME,
        person=person,
    )
    assert only.accuracy == whole.accuracy
    assert only.macro_f1.value == pytest.approx(whole.macro_f1.value)
    assert only.factors["age"] == whole.factors[2].accuracy


def test_slices_of_few_people_are_marked() -> None:
    person = np.arange(60)
    code = np.repeat([0, 1, 2], [5, 25, 30])
    truth = np.zeros(60, np.int64)
    answer = np.where((code > 0) & (person % 3 == 0), 1, 0)  # the few are all right
    slices = score_slices(truth, answer, Cut(("few", "b", "c"), code), space=SMALL, person=person)
    assert [one.is_few for one in slices] == [True, False, False]


def test_macro_f1_of_few_people_without_a_level_that_others_have_has_no_interval() -> None:
    person = np.repeat(np.arange(120), 3)
    level = person % 3  # three bands of age, each with every mask
    truth = np.tile([0, 6, 12], 120) + level
    answer = np.where(person % 5 == 0, (truth + 1) % 18, truth)
    whole, young, nobody_old = (np.flatnonzero(level <= most) for most in (2, 0, 1))
    codes = np.zeros(len(truth), np.int64)

    def ends(rows: np.ndarray) -> tuple[float | None, float | None]:
        into = Cut(("one",), codes[rows])
        (found,) = score_slices(truth[rows], answer[rows], into, space=HOME, person=person[rows])
        return found.macro_f1.low, found.accuracy.low

    assert None not in ends(whole)  # they have all levels of age
    assert None not in ends(young)  # one level is what the slice was cut by
    assert ends(nobody_old)[0] is None  # two of three, and eighty people
    assert ends(nobody_old)[1] is not None
    truth, answer = (np.where(one % 3 == 2, one - 1, one) for one in (truth, answer))
    assert None not in ends(whole)  # of a hundred people, a level that nobody has is rare


def test_a_class_that_a_slice_could_have_widens_its_interval() -> None:
    person = np.arange(400)
    truth = np.tile([0, 1, 2, 3], 100)
    answer = np.where(person % 7 == 0, (truth + 1) % 4, truth)
    into = Cut(("one",), np.zeros(400, np.int64))
    (whole,) = score_slices(truth, answer, into, space=SMALL, person=person)
    kept = truth < 3  # nobody is old without a mask, while there are old people, and people without
    into = Cut(("one",), np.zeros(300, np.int64))
    (without,) = score_slices(truth[kept], answer[kept], into, space=SMALL, person=person[kept])
    assert whole.macro_f1.low is not None
    assert without.macro_f1.low is not None
    assert without.macro_f1.low < whole.macro_f1.low - 0.1
