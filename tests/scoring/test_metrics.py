import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.metrics import Integers

CLASSES = 5
pairs = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40
).map(lambda rows: np.array(rows, dtype=np.int16).T)


@given(pairs)
def test_counts_what_scikit_learn_counts(rows: Integers) -> None:
    truth, answer = rows
    expected = confusion_matrix(truth, answer, labels=range(CLASSES))
    assert np.array_equal(metrics.confusion(truth, answer, classes=CLASSES), expected)


@given(pairs)
def test_measures_as_scikit_learn_does_even_where_classes_are_absent(rows: Integers) -> None:
    truth, answer = rows
    counts = metrics.confusion(truth, answer, classes=CLASSES)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, answer, labels=range(CLASSES), zero_division=np.nan
    )
    measures = metrics.per_class(counts)
    np.testing.assert_allclose(measures.precision, precision)
    np.testing.assert_allclose(measures.recall, recall)
    np.testing.assert_allclose(measures.f1, f1)
    assert np.array_equal(measures.support, support)
    assert metrics.macro_f1(counts) == pytest.approx(f1_score(truth, answer, average="macro"))
    assert metrics.accuracy(counts) == pytest.approx(accuracy_score(truth, answer))


def test_leaves_a_class_that_nobody_has_and_nobody_answered_out_of_the_mean() -> None:
    counts = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert metrics.macro_f1(counts) == pytest.approx(2 / 3)  # both classes: 2 * 1 / (1 + 2)


def test_counts_a_class_that_was_only_answered_as_zero() -> None:
    counts = np.array([[3, 1], [0, 0]])
    measures = metrics.per_class(counts)
    assert np.isnan(measures.recall[1])
    assert measures.f1[1] == 0
    assert metrics.macro_f1(counts) == pytest.approx(6 / 7 / 2)


def test_measures_many_matrices_as_it_measures_each() -> None:
    many = np.random.default_rng(0).integers(0, 9, size=(2, 3, 4, 4))
    for index in np.ndindex(2, 3):
        assert metrics.macro_f1(many)[index] == metrics.macro_f1(many[index])
        assert metrics.accuracy(many)[index] == metrics.accuracy(many[index])


def test_calls_an_empty_matrix_undefined_rather_than_wrong() -> None:
    empty = np.zeros((3, 3), dtype=np.int64)
    assert np.isnan(metrics.macro_f1(empty))
    assert np.isnan(metrics.accuracy(empty))


@pytest.mark.parametrize("factor", range(3))
def test_reduces_the_joint_confusion_to_that_of_a_factor(factor: int) -> None:
    truth, answer = np.random.default_rng(1).integers(0, 18, size=(2, 500))
    joint = metrics.confusion(truth, answer, classes=18)
    levels = [np.unravel_index(classes, HOME.shape)[factor] for classes in (truth, answer)]
    expected = metrics.confusion(*levels, classes=HOME.shape[factor])
    assert np.array_equal(metrics.factor_confusion(joint, HOME, factor), expected)
    stacked = np.stack([joint, 2 * joint])
    assert np.array_equal(metrics.factor_confusion(stacked, HOME, factor)[1], 2 * expected)


def test_counts_classes_whose_square_is_beyond_16_bits() -> None:
    space = LabelSpace((Factor("shade", tuple(f"shade{number}" for number in range(300))),))
    truth = np.full(3, 299, dtype=np.int16)
    assert metrics.confusion(truth, truth, classes=len(space))[299, 299] == 3


@pytest.mark.parametrize(
    ("truth", "answer", "said"),
    [
        ([0, 1], [0], "shape"),
        ([0, 18], [0, 0], "class 18"),
        ([0, 0], [-1, 0], "class -1"),
        ([0.0, np.nan], [0, 0], "float64"),
    ],
)
def test_refuses_what_is_no_class(truth: list[float], answer: list[float], said: str) -> None:
    with pytest.raises(MaskkitError, match=said):
        metrics.confusion(np.array(truth), np.array(answer), classes=18)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_cross_entropy_is_scikit_learns_of_float32_also_of_sure_mistakes(kind: type) -> None:
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(CLASSES) / 5, 30).astype(np.float32)
    probs[:2] = np.eye(CLASSES)[:2]
    probs[2, :2] = 1e-9, probs[2, :2].sum() - 1e-9  # less than the floor, and not 0
    truth = random.integers(0, CLASSES, 30)
    truth[:3] = 3, 1, 0  # surely wrong, surely right, surely wrong
    expected = log_loss(truth, probs, labels=np.arange(CLASSES))
    assert metrics.log_loss(truth, probs.astype(kind)) == pytest.approx(expected, rel=1e-6)
    assert metrics.cross_entropies(truth, probs)[[0, 2]] == pytest.approx([15.942385] * 2)


def test_the_probabilities_of_a_factors_levels_are_summed_over_the_others() -> None:
    space = LabelSpace((Factor("a", ("0", "1")), Factor("b", ("0", "1", "2")), Factor("c", ("0", "1"))))
    joint = np.arange(12, dtype=float).reshape(1, 12) / 66
    assert metrics.factor_probs(joint, space, 0)[0] == pytest.approx(np.array([15, 51]) / 66)
    assert metrics.factor_probs(joint, space, 1)[0] == pytest.approx(np.array([14, 22, 30]) / 66)
    assert metrics.factor_probs(joint, space, 2)[0] == pytest.approx(np.array([30, 36]) / 66)
