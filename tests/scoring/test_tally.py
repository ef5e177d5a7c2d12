import numpy as np
import pytest

from maskkit.scoring.kinds import kinds_of_people
from maskkit.scoring.metrics import Counts
from maskkit.scoring.tally import Tally

PEOPLE, CLASSES = 30, 4


def photos(seed: int = 0) -> tuple[Counts, Counts, Counts]:
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(PEOPLE), generator.integers(1, 6, size=PEOPLE))
    truth, answer = generator.integers(0, CLASSES, size=(2, len(person)))
    return truth, answer, person


def tallied(truth: Counts, answers: list[Counts], person: Counts) -> Tally:
    patterns, photo = np.unique(np.stack([truth, *answers]), axis=1, return_inverse=True)
    return Tally.of_classes(kinds_of_people(photo, person), patterns[0], list(patterns[1:]), classes=CLASSES)


def test_counts_what_a_slow_loop_over_photos_counts() -> None:
    truth, answer, person = photos()
    found = tallied(truth, [answer], person)
    for one in range(CLASSES):
        assert found.hit[one] == ((truth == one) & (answer == one)).sum()
        assert found.support[one] == (truth == one).sum()
        assert found.photos[one] == ((truth == one) | (answer == one)).sum()
        assert found.people_with(found.truth)[one] == len(np.unique(person[truth == one]))


def test_sums_products_over_people() -> None:
    truth, answer, person = photos()
    found = tallied(truth, [answer], person)
    each = np.zeros((PEOPLE, CLASSES))
    np.add.at(each, (person, truth), 1)
    assert found.squares(found.truth, found.truth) == pytest.approx(each.T @ each)


def test_columns_of_two_models_stand_one_after_the_other_and_are_taken_together() -> None:
    truth, answer, person = photos()
    both = tallied(truth, [answer, truth], person)
    assert (len(both), both.classes, both.models) == (2 * CLASSES, CLASSES, 2)
    assert both.hit[CLASSES:].tolist() == np.bincount(truth, minlength=CLASSES).tolist()
    part = both.take(np.array([1, 3]))
    assert (part.classes, part.models) == (2, 2)
    assert part.hit.tolist() == both.hit[[1, 3, CLASSES + 1, CLASSES + 3]].tolist()


def test_right_answers_are_a_share_of_all_photos() -> None:
    truth, answer, person = photos()
    right = (truth == answer).astype(np.int64)
    found = Tally.of_right(kinds_of_people(right, person), [np.array([False, True])])
    assert (found.hit[0], found.photos[0]) == (right.sum(), len(truth))
