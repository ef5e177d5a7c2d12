import numpy as np
import pytest
from scipy.stats import binomtest

from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.scoring.changed_answers import Against, against
from maskkit.scoring.judged import Judged
from maskkit.scoring.paired import OnlyOne, sign_test


def answering(manifest: Manifest, answer: np.ndarray) -> Predictions:
    return Predictions(manifest.table["path"], answer, header=Header("predictions", manifest.space))


def beside(manifest: Manifest, ours: Predictions, theirs: Predictions) -> Against:
    return against(Judged.of(manifest, [theirs, ours], "common"))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 5), (3, 11), (40, 17), (400, 301)])
def test_the_sign_test_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert sign_test(first, second) == pytest.approx(expected)
    assert sign_test(second, first) == pytest.approx(expected)


def test_mcnemar_is_over_the_photos_that_one_alone_has_right() -> None:
    """Of 8 and 1, as likely as 2 (1 + 9) / 2^9."""
    only = OnlyOne(both=90, first=8, second=1, neither=3, people_first=3, people_second=1)
    assert only.p_photos == pytest.approx(2 * 10 / 512)
    assert only.p_people == pytest.approx(2 * 5 / 16)


def test_says_how_far_apart_two_are_and_which_photos_changed(folds: Manifest) -> None:
    truth = folds.labels
    theirs, ours = truth.copy(), truth.copy()
    theirs[:10] = (truth[:10] + 1) % 18
    ours[8:11] = (truth[8:11] + 2) % 18  # 8 and 9 are wrong in both, 10 became wrong
    found = beside(folds, answering(folds, ours), answering(folds, theirs))
    assert (found.photos, found.people, found.predictions_changed) == (168, 24, 11)
    assert found.own["accuracy"].value == pytest.approx(165 / 168)
    assert found.other["accuracy"].value == pytest.approx(158 / 168)
    assert found.versus.difference is not None
    assert found.versus.difference["accuracy"].value == pytest.approx(7 / 168)
    assert [(one.path, one.is_right) for one in found.changed] == [
        (folds.paths[10], False),
        *((folds.paths[row], True) for row in range(8)),
    ]
    assert found.facts()["p_photos"] == pytest.approx(sign_test(1, 8))


def test_the_same_predictions_are_not_told_apart(folds: Manifest) -> None:
    same = answering(folds, (folds.labels + (np.arange(len(folds)) % 5 == 0)) % 18)
    found = beside(folds, same, same)
    assert found.versus.is_noise
    assert found.changed == ()
    assert (found.facts()["p_photos"], found.facts()["p_people"]) == (1, 1)


def test_says_that_one_was_adjusted_and_the_other_not(folds: Manifest) -> None:
    plain = answering(folds, folds.labels)
    header = Header("predictions", folds.space, (), {"consensus": {"by": "person"}})
    agreed = Predictions(folds.table["path"], folds.labels, header=header)
    (note,) = beside(folds, agreed, plain).notes
    assert "as its models predicted" in note
    assert "after consensus" in note
    assert beside(folds, agreed, agreed).notes == ()


def test_photos_that_one_lacks_are_left_out_for_both_and_told(folds: Manifest) -> None:
    part = folds.select(folds.folds == 1)
    found = beside(folds, answering(folds, folds.labels), answering(part, part.labels))
    assert found.photos == len(part)
    assert "has no prediction of 112 labelled photos" in found.notes[0]
