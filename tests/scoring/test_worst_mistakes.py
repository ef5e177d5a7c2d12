import numpy as np

from maskkit.labels import HOME
from maskkit.scoring.mistakes import factors_apart, worst_mistakes

PROBS = np.array(
    [[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.3, 0.3, 0.4], [0.0, 1.0, 0.0], [0.2, 0.7, 0.1], [0.6, 0.4, 0.0]],
    np.float32,
)
LABEL = np.array([0, 1, 2, 0, 0, 1])  # right, 0.4, right, 0.0, 0.2, 0.4 of the truth


def test_the_worst_come_first_and_equals_in_order_of_rows() -> None:
    assert worst_mistakes(LABEL, PROBS, 10).tolist() == [3, 4, 1, 5]


def test_many_equals_stay_in_order_of_rows() -> None:
    assert worst_mistakes(np.zeros(100, np.int64), np.tile(PROBS[3], (100, 1)), 50).tolist() == list(
        range(50)
    )


def test_no_more_than_asked_for() -> None:
    assert worst_mistakes(LABEL, PROBS, 2).tolist() == [3, 4]
    assert worst_mistakes(LABEL, PROBS, 0).tolist() == []


def test_a_right_answer_is_no_mistake_however_unsure() -> None:
    assert 2 not in worst_mistakes(LABEL, PROBS, 10)  # its loss, -log 0.4, equals that of row 1


def test_names_the_factors_that_differ() -> None:
    wear, none = HOME.names.index("wear/male/30to59"), HOME.names.index("none/male/60plus")
    assert factors_apart(HOME, wear, none) == ("mask", "age")
    assert factors_apart(HOME, wear, wear) == ()
