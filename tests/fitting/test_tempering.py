from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from trainings import some_answers

from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.fitting.temperature import fit_temperature, temperature_decision


def answers(manifest: Manifest, **facts: object) -> Predictions:
    probs = some_answers(manifest, right=0.7)
    header = Header("predictions", manifest.space, (), facts)
    classes = tuple(manifest.space.names)
    return Predictions(manifest.table["path"], probs.argmax(1), probs, classes, None, header)


def test_a_temperature_becomes_a_decision_that_changes_no_answer(
    labels: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    given = answers(labels)
    assert given.probs is not None
    with caplog.at_level(logging.INFO, "maskkit"):
        decision = temperature_decision(labels, given)
    assert decision.temperature == fit_temperature(labels.labels, given.probs)
    assert decision.method == "temperature"
    assert set(decision.offsets) == {0.0}
    after = decision.applied(given.probs)
    assert np.array_equal(after.argmax(1), given.answer)
    truth = np.arange(len(labels)), labels.labels
    losses = [float(-np.log(probs[truth].astype(np.float64)).mean()) for probs in (given.probs, after)]
    assert losses[1] < losses[0]
    measured = [decision.measured[name] for name in ("log_loss_before", "log_loss")]
    assert np.allclose(measured, losses, atol=1e-6)
    assert "on 168 out-of-fold photos" in caplog.text


def test_rows_are_matched_by_path_and_those_without_truth_do_not_count(labels: Manifest) -> None:
    given = answers(labels)
    rows = np.random.default_rng(0).permutation(len(labels))[:100]
    assert given.probs is not None
    part = replace(
        given, path=given.path.take(rows), answer=given.answer[rows], probs=given.probs[rows], source=None
    )
    decision = temperature_decision(labels, part)
    assert decision.measured["photos"] == 100
    assert decision.temperature == pytest.approx(fit_temperature(labels.labels[rows], given.probs[rows]))


def test_predictions_of_people_that_models_have_seen_are_refused(labels: Manifest) -> None:
    seen = Seen.of([labels.people.names[0]], salt="x")
    with pytest.raises(RefusedError, match="were trained on 1 people"):
        temperature_decision(labels, answers(labels, seen=[seen.to_json()]))
    with pytest.raises(RefusedError, match="the people on 7 photos"):
        temperature_decision(labels, answers(labels, leaked=7))


def test_answers_alone_and_adjusted_probabilities_are_refused(labels: Manifest) -> None:
    given = answers(labels)
    with pytest.raises(MaskkitError, match="has answers only"):
        temperature_decision(labels, replace(given, probs=None, classes=None))
    with pytest.raises(MaskkitError, match="went through a consensus before"):
        temperature_decision(labels, answers(labels, consensus={"by": "person"}))


def test_predictions_of_other_photos_are_refused(labels: Manifest) -> None:
    given = answers(labels)
    others = replace(given, path=given.path.slice(0, 0), answer=given.answer[:0])
    with pytest.raises(MaskkitError, match="has no labelled photo of") as caught:
        temperature_decision(labels, replace(others, probs=np.empty((0, 18), np.float32)))
    assert "--on MANIFEST" in caught.value.fix
