"""Decisions tuned on out-of-fold predictions, and what they bring to others."""

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from trainings import some_answers

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.script import script
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import Factor, LabelSpace
from maskkit.predicting.adjustments import with_consensus, with_decision
from maskkit.stages.tune import tune


def said_of(manifest: Manifest, **facts: object) -> Predictions:
    """Return predictions that are right in two of three photos, and seldom say 60plus."""
    probs = np.log(some_answers(manifest, right=0.7, seed=1)) - 1.5 * (np.arange(18) % 3 == 2)
    probs += np.random.default_rng(0).normal(0, 0.5, probs.shape)
    probs = np.exp(probs)
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
    header = Header("predictions", manifest.space, (Record("predict", {"oof": True}),), facts)
    return Predictions(
        manifest.table["path"], probs.argmax(1), probs, tuple(manifest.space.names), manifest.folds, header
    )


@pytest.mark.parametrize("method", ["classes", "factors", "age", "temperature"])
def test_what_is_written_does_what_was_measured(folds: Manifest, method: str) -> None:
    predictions = said_of(folds)
    tuned = tune(folds, predictions, method=method)
    written = Decision.read(Source("d.json", tuned.decision.to_bytes()))
    applied = with_decision(predictions, written)
    assert applied.probs is not None
    first = tuned.changes[0]
    if method == "temperature":
        own = applied.probs[np.arange(len(folds)), folds.labels]
        assert first.in_sample == pytest.approx(-np.log(own).mean(), rel=1e-5)
        assert (applied.answer == predictions.answer).all()
    else:
        right = applied.answer == folds.labels
        assert tuned.changes[1].in_sample == pytest.approx(right.mean())
        assert (applied.answer != predictions.answer).any()
    assert written.measured["sentence"] == tuned.sentence
    assert written.measured["changes"][0]["gain"]["value"] == first.gain.value
    assert (tuned.photos, tuned.people, tuned.parts) == (168, 24, 5)


def test_offsets_lie_between_those_tuned_without_a_part_of_the_people_or_near(folds: Manifest) -> None:
    tuned = tune(folds, said_of(folds), method="age")
    assert [one.name for one in tuned.offsets] == ["age 30to59", "age 60plus"]
    assert tuned.offsets[1].value > 0
    assert all(one.low <= one.high for one in tuned.offsets)


def test_the_order_of_the_predictions_does_not_matter(folds: Manifest) -> None:
    predictions = said_of(folds)
    order = np.random.default_rng(0).permutation(len(folds))
    assert predictions.probs is not None
    shuffled = replace(
        predictions, path=predictions.path.take(pa.array(order)), answer=predictions.answer[order],
        probs=predictions.probs[order],
    )  # fmt: skip
    first, second = (tune(folds, one, method="classes") for one in (predictions, shuffled))
    assert first.changes == second.changes
    assert first.decision.offsets == second.decision.offsets


def test_the_same_run_gives_the_same_bytes_and_another_seed_other_parts(folds: Manifest) -> None:
    one, again, other = (tune(folds, said_of(folds), method="factors", seed=seed) for seed in (0, 0, 1))
    assert one.decision.to_bytes() == again.decision.to_bytes()
    assert one.decision.offsets == other.decision.offsets
    assert one.offsets != other.offsets


def test_the_history_is_a_script_that_tunes_again(folds: Manifest) -> None:
    decision = tune(folds, said_of(folds), method="age", seed=3).decision
    *_, last = script(decision.header.history, output="age.json").splitlines()
    assert last.endswith("--tune age --seed 3 --decision age.json")
    assert last.startswith("maskkit evaluate ")


def test_remembers_consensus_and_warns_where_it_is_not_as_it_was(
    folds: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    plain = said_of(folds)
    agreed = with_consensus(plain, folds.known_people, folds.space)
    decision = tune(folds, agreed, method="age").decision
    assert decision.measured["consensus"] is True
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        with_decision(agreed, decision)
        assert caplog.text == ""
        with_decision(plain, decision)
    assert "was tuned after a consensus, and is applied without" in caplog.text


def test_refuses_people_whom_the_models_have_seen(folds: Manifest) -> None:
    seen = Seen.of({folds.people.names[0]}, salt="x").to_json()
    leaky = said_of(folds, seen=[seen])
    with pytest.raises(RefusedError, match="were trained on 1 people"):
        tune(folds, leaky, method="age")
    assert tune(folds, leaky, method="age", allow_leak=True).people == 24


def test_refuses_what_was_decided_and_what_has_no_probabilities(folds: Manifest) -> None:
    predictions = said_of(folds)
    once = with_decision(predictions, Decision.make(folds.space, [], method="age"))
    with pytest.raises(MaskkitError, match="went through a decision before"):
        tune(folds, once, method="age")
    with pytest.raises(MaskkitError, match="has answers only"):
        tune(folds, replace(predictions, probs=None), method="age")


def test_refuses_other_classes_other_methods_and_too_few_people(folds: Manifest) -> None:
    predictions = said_of(folds)
    helmets = LabelSpace((Factor("helmet", ("yes", "no")),))
    strange = replace(predictions, header=replace(predictions.header, space=helmets))
    with pytest.raises(MaskkitError, match="different label spaces"):
        tune(folds, strange, method="age")
    with pytest.raises(MaskkitError, match="cannot tune 'helmet'"):
        tune(folds, predictions, method="helmet")
    few = folds.select(folds.people.codes < 4)
    with pytest.raises(MaskkitError, match="there are 4 people to fit to"):
        tune(few, said_of(few), method="age")


def test_photos_without_a_person_are_people_of_their_own(folds: Manifest) -> None:
    nobody = folds.then("edit", {"person_id": pa.nulls(len(folds), pa.string())})
    assert tune(nobody, said_of(nobody), method="age").people == 168
