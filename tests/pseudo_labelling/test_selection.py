"""Which predictions are sure enough, by hand-made numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.options.train_options import Balance
from maskkit.options.values import parse_thresholds
from maskkit.pseudo_labelling.selection import (
    Selection,
    answers,
    apportioned,
    most_confident,
    tally,
    thresholds,
    weights,
)

CONFIDENCE = np.array([0.5, 0.9, 0.7, 0.9, 0.6, 0.8, 0.4, 0.99], np.float32)
ANSWER = np.array([0, 0, 0, 0, 0, 1, 1, 2])


def chosen(share: float, balance: Balance, labels: list[int]) -> list[int]:
    found = most_confident(CONFIDENCE, ANSWER, share=share, balance=balance, labels=np.array(labels))
    return np.flatnonzero(found).tolist()


def test_the_last_rule_that_fits_a_class_counts() -> None:
    least = dict(zip(HOME.names, thresholds(parse_thresholds("0.8,age=60plus:0.6"), HOME), strict=True))
    assert least["wear/male/30to59"] == np.float32(0.8)
    assert least["none/female/60plus"] == np.float32(0.6)
    rules = "wear/male/60plus:0.5,mask=wear:0.7"
    least = dict(zip(HOME.names, thresholds(parse_thresholds(rules), HOME), strict=True))
    assert least["wear/male/60plus"] == np.float32(0.7)
    assert least["none/male/60plus"] == np.float32(0.9)
    assert set(thresholds(parse_thresholds("age=60plus:0.5,0.3"), HOME).tolist()) == {np.float32(0.3)}


@pytest.mark.parametrize("rule", ["wear/male:0.5", "age=old:0.5", "hat=on:0.5"])
def test_a_class_or_level_that_does_not_exist_is_an_error_with_those_that_do(rule: str) -> None:
    with pytest.raises(MaskkitError, match=r"no (class|level|factor)") as caught:
        thresholds(parse_thresholds(rule), HOME)
    assert any(name in caught.value.why for name in ("wear/male/60plus", "60plus", "gender"))


def test_an_answer_as_confident_as_asked_for_is_taken() -> None:
    space = LabelSpace((Factor("mask", ("on", "off", "low")),))
    sure = Selection("0.7,off:0.9,low:0.99")
    taken = sure.of(CONFIDENCE, ANSWER, space=space, labels=np.array([1, 1, 1]))
    assert taken.tolist() == [False, True, True, True, False, False, False, True]


def test_the_most_confident_have_the_balance_of_the_labels() -> None:
    assert chosen(0.5, "labels", [10, 10, 0]) == [1, 3, 5, 6]
    assert chosen(0.5, "labels", [20, 0, 20]) == [1, 3, 7]  # class 2 is answered once only


def test_the_most_confident_have_the_balance_of_the_predictions() -> None:
    assert chosen(0.5, "predictions", [0, 0, 1]) == [1, 2, 3, 5]  # 2.5, 1 and 0.5 of 4
    assert chosen(1, "predictions", [1, 1, 1]) == list(range(8))


def test_without_balance_the_most_confident_are_taken_and_ties_go_to_the_earlier() -> None:
    assert chosen(0.25, "none", [1, 1, 1]) == [1, 7]
    assert chosen(0.375, "none", [1, 1, 1]) == [1, 3, 7]


def test_apportions_by_largest_remainders() -> None:
    # Of 10 in shares 47 : 16 : 37 are 4.7, 1.6 and 3.7: the remainders .7 and .7 are the largest.
    assert apportioned(10, np.array([47, 16, 37])).tolist() == [5, 1, 4]
    assert apportioned(3, np.array([0, 0])).tolist() == [0, 0]


def test_weighs_by_a_number_or_by_confidence() -> None:
    assert weights(CONFIDENCE[:2], (False, 0.5)).tolist() == [0.5, 0.5]
    assert weights(CONFIDENCE[:2], (True, 2.0)).tolist() == (CONFIDENCE[:2] * np.float32(2)).tolist()


def test_the_answer_is_the_most_probable_class() -> None:
    answer, confidence = answers(np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], np.float32), name="p")
    assert (answer.tolist(), confidence.round(3).tolist()) == ([1, 0], [np.float32(0.5), np.float32(0.6)])
    with pytest.raises(MaskkitError, match="predicts no photo"):
        answers(np.empty((0, 3), np.float32), name="p")


def test_counts_a_class() -> None:
    found = tally("a", 7, CONFIDENCE[:3], np.array([False, True, True]), np.full(3, 0.5, np.float32))
    assert (found.labelled, found.photos, found.chosen, found.weight) == (7, 3, 2, 1.0)
    assert found.least == np.float32(0.7)
    assert found.mean == pytest.approx(0.8)
    assert tally("a", 7, CONFIDENCE[:3], np.zeros(3, np.bool_), CONFIDENCE[:3]).least is None


@given(
    st.floats(0.01, 1),
    arrays(np.float32, 40, elements=st.floats(0, 1, width=32)),
    arrays(np.int64, 40, elements=st.integers(0, 3)),
    arrays(np.int64, 4, elements=st.integers(0, 50)),
)
def test_no_photo_left_out_is_more_confident_than_one_of_its_class_that_is_taken(
    share: float, confidence: np.ndarray, answer: np.ndarray, labels: np.ndarray
) -> None:
    for balance in ("labels", "predictions"):
        taken = most_confident(confidence, answer, share=share, balance=balance, labels=labels)
        assert taken.sum() <= round(share * 40)
        for index in range(4):
            inside, outside = confidence[taken & (answer == index)], confidence[~taken & (answer == index)]
            assert inside.min(initial=1) >= outside.max(initial=0)


@given(st.integers(0, 1000), arrays(np.int64, 5, elements=st.integers(0, 100)).filter(np.any))
def test_parts_add_up_and_are_within_one_of_the_exact_share(total: int, shares: np.ndarray) -> None:
    parts = apportioned(total, shares)
    assert parts.sum() == total
    assert (np.abs(parts - total * shares / shares.sum()) < 1).all()
