import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Form, Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import Factor, LabelSpace
from maskkit.options.train_options import Inference
from maskkit.reporting.curves import training_curves
from maskkit.reporting.evaluation_report import evaluation_report
from maskkit.reporting.html import page as page_of
from maskkit.stages.ensemble import ensemble
from maskkit.stages.evaluate import evaluate
from maskkit.stages.predict import predict
from maskkit.stages.split import split

FORMS: list[Form] = ["parquet", "csv", "submission"]
HERE = Inference("cpu", 64, 0)


@pytest.fixture
def probs(folds: Manifest) -> NDArray[np.float32]:
    """Probabilities that are right about two times in three."""
    random = np.random.default_rng(3)
    values = random.dirichlet(np.ones(18), len(folds)) + 0.3 * np.eye(18)[folds.labels]
    return np.asarray(values / values.sum(1, keepdims=True), np.float32)


@pytest.fixture
def predictions(folds: Manifest, probs: NDArray[np.float32]) -> Predictions:
    return said_of(folds, probs)


def said_of(manifest: Manifest, probs: NDArray[np.float32], **facts: object) -> Predictions:
    return Predictions(
        path=manifest.table["path"],
        answer=probs.argmax(1),
        probs=probs,
        classes=tuple(manifest.space.names),
        header=Header("predictions", manifest.space, (), facts),
    )


def rows_of(predictions: Predictions, rows: Sequence[int] | NDArray[np.int64]) -> Predictions:
    index = np.asarray(rows)
    assert predictions.probs is not None
    return replace(
        predictions,
        path=predictions.path.take(pa.array(index)),
        answer=predictions.answer[index],
        probs=predictions.probs[index],
    )


def with_column(manifest: Manifest, name: str, values: list[object]) -> Manifest:
    return manifest.then("edit", {name: pa.array(values, manifest.table.schema.field(name).type)})


@pytest.mark.parametrize("form", FORMS)
def test_scores_by_path_whatever_the_order_and_the_form(
    folds: Manifest, predictions: Predictions, form: Form
) -> None:
    order = np.random.default_rng(0).permutation(len(folds))
    given = Predictions.read(Source("p", pa.py_buffer(rows_of(predictions, order).encode(form))))
    scores = evaluate(folds, given).scores
    answer = predictions.answer
    assert scores.macro_f1.value == pytest.approx(f1_score(folds.labels, answer, average="macro"), abs=1e-12)
    assert scores.accuracy.value == (folds.labels == answer).mean()
    assert (scores.photos, scores.people) == (168, 24)


def test_log_loss_is_that_of_scikit_learn(
    folds: Manifest, predictions: Predictions, probs: NDArray[np.float32]
) -> None:
    order = np.random.default_rng(0).permutation(len(folds))
    exact = probs.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    expected = log_loss(folds.labels, exact, labels=np.arange(18))
    found = evaluate(folds, rows_of(predictions, order)).log_loss
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_submission_has_no_log_loss(folds: Manifest, predictions: Predictions) -> None:
    given = Predictions.read(Source("s.csv", pa.py_buffer(predictions.encode("submission"))))
    assert evaluate(folds, given).log_loss is None


def test_scores_the_label_and_not_the_target(folds: Manifest, predictions: Predictions) -> None:
    retargeted = with_column(folds, "target", [0] * len(folds))
    given = evaluate(retargeted, predictions)
    assert given.scores == evaluate(folds, predictions).scores


def test_each_fold_has_its_score(folds: Manifest, predictions: Predictions) -> None:
    scores = evaluate(folds, predictions).scores.folds
    assert scores is not None
    assert [item.fold for item in scores.each] == [0, 1, 2]
    for item in scores.each:
        rows = folds.folds == item.fold
        expected = f1_score(folds.labels[rows], predictions.answer[rows], average="macro")
        assert item.macro_f1 == pytest.approx(expected, abs=1e-12)


def test_a_whole_fold_may_be_scored_alone_and_is_named(
    folds: Manifest, predictions: Predictions, caplog: pytest.LogCaptureFixture
) -> None:
    rows = np.flatnonzero(folds.folds == 1)
    with caplog.at_level(logging.WARNING, "maskkit"):
        scores = evaluate(folds, rows_of(predictions, rows)).scores
    assert scores.photos == len(rows)
    assert "scoring fold 1 only: 56 of 168" in caplog.text


def test_part_of_a_fold_is_an_error_that_names_what_is_missing(
    folds: Manifest, predictions: Predictions
) -> None:
    rows = np.flatnonzero(folds.folds == 1)[2:]
    missing = [folds.paths[row] for row in np.flatnonzero(folds.folds == 1)[:2]]
    with pytest.raises(MaskkitError) as caught:
        evaluate(folds, rows_of(predictions, rows))
    assert caught.value.what == f"2 labelled photos have no prediction: {missing[0]}, {missing[1]}"


def test_without_folds_every_labelled_image_is_needed(labels: Manifest, predictions: Predictions) -> None:
    with pytest.raises(MaskkitError, match="1 labelled photos have no prediction"):
        evaluate(labels, rows_of(predictions, np.arange(167)))


def test_an_image_that_the_manifest_does_not_know_is_an_error(
    folds: Manifest, predictions: Predictions
) -> None:
    fewer = folds.select(np.arange(len(folds)) != 7)
    with pytest.raises(MaskkitError, match="has 1 photos that are not in") as caught:
        evaluate(fewer, predictions)
    assert folds.paths[7] in caught.value.what


def test_images_without_a_label_are_passed_over(folds: Manifest, predictions: Predictions) -> None:
    unknown = 10
    labels = [None if row == unknown else int(label) for row, label in enumerate(folds.labels)]
    given = with_column(folds, "label", list(labels))
    assert evaluate(given, predictions).scores.photos == 167
    others = np.flatnonzero(np.arange(168) != unknown)
    assert evaluate(given, rows_of(predictions, others)).scores.photos == 167


def test_photos_that_were_never_held_out_may_be_scored_too(folds: Manifest, predictions: Predictions) -> None:
    nobody = with_column(folds, "fold", [-1] * len(folds))
    assert evaluate(nobody, predictions).scores.folds is None


def test_a_manifest_without_truth_is_an_error(folds: Manifest, predictions: Predictions) -> None:
    with pytest.raises(MaskkitError, match="label is empty"):
        evaluate(with_column(folds, "label", [None] * len(folds)), predictions)


def test_another_label_space_is_an_error(folds: Manifest, predictions: Predictions) -> None:
    age = Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 58))
    space = LabelSpace((*folds.space.factors[:2], age))
    other = replace(predictions, header=replace(predictions.header, space=space))
    with pytest.raises(MaskkitError, match="different label spaces") as caught:
        evaluate(folds, other)
    assert "cuts of age" in caught.value.why


def test_classes_in_another_order_are_an_error(folds: Manifest, predictions: Predictions) -> None:
    names = tuple(reversed(folds.space.names))
    backwards = replace(predictions, classes=names, header=Header("predictions", None))
    with pytest.raises(MaskkitError, match="have different classes"):
        evaluate(folds, backwards)


def test_an_answer_beyond_the_classes_is_an_error(folds: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "ans.csv"
    path.write_text("ImageID,ans\n" + "".join(f"{name},18\n" for name in folds.paths))
    with pytest.raises(MaskkitError, match="answers 18") as caught:
        evaluate(folds, Predictions.read(path))
    assert "classes 0 to 17" in caught.value.why


@pytest.fixture
def first_model(checkpoints: list[Path]) -> Checkpoint:
    return Checkpoint.read(checkpoints[0])


def test_refuses_people_whom_the_models_have_seen(
    folds: Manifest, probs: NDArray[np.float32], first_model: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    given = said_of(folds, probs, seen=[first_model.seen.to_json()])
    with pytest.raises(RefusedError, match="were trained on 16 people whom they predict here") as caught:
        evaluate(folds, given)
    assert caught.value.exit_code == 3
    with caplog.at_level(logging.WARNING, "maskkit"):
        evaluate(folds, given, allow_leak=True)
    assert "inflated" in caplog.text


def test_counts_a_person_seen_by_any_of_the_models(folds: Manifest, probs: NDArray[np.float32]) -> None:
    names = sorted(set(folds.people.names))
    seen = [Seen.of(names[:2], salt="a").to_json(), Seen.of(names[1:3], salt="b").to_json()]
    with pytest.raises(RefusedError, match="trained on 3 people"):
        evaluate(folds, said_of(folds, probs, seen=seen))


def test_models_that_have_seen_only_others_may_be_scored(folds: Manifest, first_model: Checkpoint) -> None:
    predictions = predict(folds.select(folds.folds == 0), [first_model], inference=HERE)
    assert predictions.trained_on
    assert evaluate(folds, predictions).scores.photos == 56


def test_people_are_known_again_where_the_predictions_were_made_without_their_names(
    folds: Manifest, first_model: Checkpoint
) -> None:
    """As when a folder of loose photos is predicted, and a table of who is on them turns up later."""
    nameless = with_column(folds, "person_id", [None] * len(folds))
    predictions = predict(nameless, [first_model], inference=HERE)
    assert predictions.leaked == 0
    with pytest.raises(RefusedError, match="16 people"):
        evaluate(folds, predictions)


def test_refuses_out_of_fold_predictions_that_leaked_on_demand(
    labels: Manifest, first_model: Checkpoint
) -> None:
    by_image = split(labels, by="image", folds=3)
    predictions = predict(by_image, [first_model], oof=True, allow_leak=True, inference=HERE)
    assert predictions.trained_on == []
    with pytest.raises(RefusedError, match=r"the people on \d+ photos whom they predict here"):
        evaluate(by_image, predictions)
    assert evaluate(by_image, predictions, allow_leak=True).scores.photos == len(predictions)


def test_a_vote_does_not_wash_a_leak_away(
    folds: Manifest, probs: NDArray[np.float32], first_model: Checkpoint
) -> None:
    seen = said_of(folds, probs, seen=[first_model.seen.to_json()])
    leaked = said_of(folds, probs, leaked=5)
    clean = said_of(folds, probs)
    with pytest.raises(RefusedError, match="16 people"):
        evaluate(folds, ensemble([clean, seen]).predictions)
    voted = ensemble([clean, leaked], allow_leak=True).predictions
    with pytest.raises(RefusedError, match="the people on 5 photos"):
        evaluate(folds, voted)


def test_the_history_leads_from_the_label_to_the_predictions(
    folds: Manifest, checkpoints: list[Path]
) -> None:
    models = [Checkpoint.read(path) for path in checkpoints]
    history = evaluate(folds, predict(folds, models, oof=True, inference=HERE)).history
    assert [record.stage for record in history] == ["label", "split", "train", "train", "train", "predict"]


def test_the_page_shows_no_photo_and_draws_the_training(
    folds: Manifest, predictions: Predictions, checkpoints: list[Path]
) -> None:
    evaluation = evaluate(folds, predictions)
    histories = [path.with_suffix(".history.csv") for path in checkpoints]
    curves = training_curves(histories)
    page = page_of(
        evaluation_report(evaluation, manifest="folds.parquet", predictions="<oof>.parquet", curves=curves)
    )
    assert "<img" not in page
    assert "src=" not in page
    assert f"{evaluation.scores.macro_f1.value:.3f}" in page
    assert "fold2" in page
    assert "<oof>" not in page  # escaped


def test_the_json_begins_with_the_headline(folds: Manifest, predictions: Predictions) -> None:
    data = evaluate(folds, predictions).to_json()
    assert data["log_loss"] > 0
    assert data["macro_f1"]["value"] == pytest.approx(
        f1_score(folds.labels, predictions.answer, average="macro")
    )
