"""What `evaluate` finds beside scores, on photos."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score
from test_evaluate import said_of, with_column
from trainings import some_answers

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.reporting.evaluation_report import evaluation_report
from maskkit.reporting.html import page as page_of
from maskkit.reporting.pictured import pictures_of
from maskkit.stages.evaluate import evaluate


@pytest.fixture
def predictions(folds: Manifest) -> Predictions:
    return said_of(folds, some_answers(folds, right=0.6))


def test_slices_are_scored_by_any_column(folds: Manifest, predictions: Predictions) -> None:
    found = evaluate(folds, predictions, by=["gender,mask", "age:10", "fold"])
    assert [one.by for one in found.slices] == ["gender,mask", "age:10", "fold"]
    assert sum(one.photos for one in found.slices[0].slices) == len(folds)
    for one in found.slices[2].slices:
        rows = folds.folds == int(one.name)
        assert one.accuracy.value == pytest.approx(
            accuracy_score(folds.labels[rows], predictions.answer[rows])
        )


def test_light_is_measured_on_the_photos(folds: Manifest, predictions: Predictions) -> None:
    (found,) = evaluate(folds, predictions, by=["brightness:q2"]).slices
    assert sum(one.photos for one in found.slices) == 168
    assert all(70 < one.photos < 98 for one in found.slices)  # photos of one age are about as bright
    with pytest.raises(MaskkitError, match="are not under nowhere"):
        evaluate(folds.located(root="nowhere"), predictions, by=["brightness:q2"])
    brightness = pa.array(np.arange(168.0))
    told = folds.then("edit", {"brightness": brightness})  # a column of the manifest comes first
    (found,) = evaluate(told.located(root="nowhere"), predictions, by=["brightness:100"]).slices
    assert [one.name for one in found.slices] == ["0-99", "100-199"]


def test_the_size_of_faces_needs_boxes(folds: Manifest, predictions: Predictions) -> None:
    with pytest.raises(MaskkitError, match="has no box"):
        evaluate(folds, predictions, by=["face:q2"])


def test_errors_are_set_beside_the_cuts_of_age(folds: Manifest, predictions: Predictions) -> None:
    found = evaluate(folds, predictions).boundaries
    assert [(one.factor, one.cut) for one in found] == [("age", None), ("age", 30), ("age", 60)]
    assert [step.label for step in found[0].steps] == [
        "≤-10",
        "-3",
        "-2",
        "+0",
        "+5",
        "≥+10",
    ]  # 19, 27, 58, 60, 35, 44
    unknown = with_column(folds, "age", [None] * len(folds))
    assert evaluate(unknown, predictions).boundaries == ()


def test_mistakes_are_named_the_worst_first(folds: Manifest, predictions: Predictions) -> None:
    assert predictions.probs is not None
    probs = predictions.probs.copy()
    row = 9
    wrong = (folds.labels[row] + 7) % 18
    probs[row] = 0.001
    probs[row, wrong] = 1 - 0.017
    probs[row, folds.labels[row]] = 0
    probs[row] /= probs[row].sum()
    found = evaluate(folds, said_of(folds, probs), worst=3).mistakes
    assert len(found) == 3
    first = found[0]
    assert (first.path, first.truth, first.prediction) == (
        folds.paths[row], folds.space.names[folds.labels[row]], folds.space.names[wrong],
    )  # fmt: skip
    assert first.person == folds.people.names[folds.people.codes[row]]
    assert first.confidence == pytest.approx(float(probs[row, wrong]))
    assert first.truth_probability == 0
    age = folds.integers("age")[row]
    assert first.numbers == {"age": age}
    assert first.distances == {"age": min((age - cut for cut in (30, 60)), key=abs)}
    assert found[1].loss <= first.loss
    assert evaluate(folds, predictions, worst=0).mistakes == ()


def test_answers_without_probabilities_have_neither_calibration_nor_mistakes(folds: Manifest) -> None:
    found = evaluate(folds, Predictions(folds.table["path"], np.zeros(len(folds), np.int64)))
    assert found.calibration is None
    assert found.mistakes == ()
    assert found.boundaries


def test_two_predictions_are_compared_both_ways(folds: Manifest, predictions: Predictions) -> None:
    other = said_of(folds, some_answers(folds, right=0.9, seed=1))
    there = evaluate(folds, predictions, against=other).against
    back = evaluate(folds, other, against=predictions).against
    assert there is not None
    assert back is not None
    assert there.versus.difference is not None
    assert back.versus.difference is not None
    one, two = there.versus.difference["accuracy"], back.versus.difference["accuracy"]
    assert one.value == pytest.approx(-(two.value or 0))
    assert (one.value or 0) < 0
    assert there.facts()["p_people"] == back.facts()["p_people"]
    assert there.predictions_changed == back.predictions_changed


def test_what_was_done_to_the_answers_is_said(folds: Manifest) -> None:
    consensus = {"by": "person", "factors": ["gender", "age"], "people": 24, "photos": 168}
    given = said_of(folds, some_answers(folds, right=0.6), consensus=consensus)
    found = evaluate(folds, given)
    assert found.to_json()["adjusted"] == {"consensus": consensus}
    assert "say nothing of photos that come alone" in found.warnings[0]


def test_pictures_are_small_and_only_of_mistakes(folds: Manifest, predictions: Predictions) -> None:
    found = evaluate(folds, predictions, worst=2)
    shown = pictures_of(found.mistakes, folds)
    assert set(shown) == {one.path for one in found.mistakes}
    page = page_of(evaluation_report(found, manifest="m", predictions="p", pictures=shown))
    assert page.count("data:image/jpeg") == 2
    assert "data:image" not in page_of(evaluation_report(found, manifest="m", predictions="p"))
    assert pictures_of((), folds) == {}


@pytest.mark.skipif(find_spec("pytorch_grad_cam") is None, reason="the package grad-cam is not installed")
def test_a_mistake_is_explained_by_a_model_that_has_not_seen_the_person(
    folds: Manifest, predictions: Predictions, checkpoints: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    found = evaluate(folds, predictions, worst=6)
    models = [Checkpoint.read(path) for path in checkpoints]
    shown = pictures_of(found.mistakes, folds, explain=models)
    for one in found.mistakes:
        assert shown[one.path].by.endswith(f"fold{one.fold}.safetensors")
        assert [label for label, _ in shown[one.path].heats] == [
            f"for {one.taken_for}",
            f"for {one.truth_there}",
        ]
        assert all(heat.startswith("data:image/jpeg") for _, heat in shown[one.path].heats)
    alone = pictures_of(found.mistakes, folds, explain=models[:1])
    assert {one.path for one in found.mistakes if one.fold != 0} == {
        path for path, one in alone.items() if not one.heats
    }
    assert "mistakes are not explained: every model has seen their people" in caplog.text
