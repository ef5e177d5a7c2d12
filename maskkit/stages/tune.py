"""Choose how probabilities become answers, and say what that brings to people it was not chosen on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import Record, merged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.fitting.gain import (
    Change,
    Offset,
    Tuned,
    changes_of_answers,
    changes_of_probabilities,
    measured,
)
from maskkit.fitting.offsets import TEMPERATURE, NestedDecisions, nested, terms
from maskkit.fitting.offsets import tune as tune_on
from maskkit.fitting.people_parts import parts_of_people
from maskkit.scoring.bootstrap import number_people
from maskkit.scoring.judged import check_answers, places, refuse_leak


def tune(
    manifest: Manifest,
    predictions: Predictions,
    *,
    method: str,
    replicates: int = 1000,
    seed: int = 0,
    allow_leak: bool = False,
) -> Tuned:
    """Tune offsets for macro-F1, or a temperature, on out-of-fold predictions.

    What is tuned on some people looks better on them than it is. So the people are divided into five
    parts, each is decided as tuned on the other four, and these answers are compared with the plain ones
    (nested cross-validation; Varma and Simon 2006, https://doi.org/10.1186/1471-2105-7-91). The decision
    itself is tuned on all of them. The interval knows which people happened to be scored, and not which
    happened to be tuned on: another seed divides them otherwise and gives another gain, so a gain of a few
    thousandths is to be seen with several seeds before it is believed.

    Args:
        manifest: Holds the truth.
        predictions: With probabilities, by models that have not seen the people.
        method: `classes`, `factors`, the name of a factor, or `temperature`.
        replicates: Bootstrap replicates over people.
        seed: Of the parts and of the bootstrap.
        allow_leak: Go on although models have seen the people.

    Raises:
        MaskkitError: There is no such method, no probabilities, or too few people; or it was decided before.
        RefusedError: Models have seen people they answer for.
    """
    manifest.need("label")
    check_answers(manifest, predictions)
    terms(manifest.space, method)
    probs = _plain(predictions)
    place = places(manifest, predictions)
    rows = np.flatnonzero((manifest.labels >= 0) & (place >= 0))
    refuse_leak(manifest, predictions, rows, allow_leak=allow_leak)
    truth, probs, person = manifest.labels[rows], probs[place[rows]], manifest.known_people[rows]
    part = parts_of_people(truth, person, classes=len(manifest.space), seed=seed)
    best = tune_on(truth, probs, manifest.space, method)
    others = nested(truth, probs, part, manifest.space, method)
    given = {"plain": probs, "in_sample": best.applied(probs), "nested": others.probs}
    options = {"tune": method, "replicates": replicates, "seed": seed, "allow_leak": allow_leak}
    if method == TEMPERATURE:
        changes = changes_of_probabilities(truth, given, person=person, replicates=replicates, seed=seed)
    else:
        answers = {name: one.argmax(axis=1) for name, one in given.items()}
        changes = changes_of_answers(
            truth, answers, space=manifest.space, person=person, replicates=replicates, seed=seed
        )
    return _tuned(manifest, predictions, best, others, changes, rows, options)


def _plain(predictions: Predictions) -> NDArray[np.float32]:
    if predictions.probs is None:
        raise MaskkitError(
            f"{predictions.name} has no probabilities to tune",
            why="a submission holds answers only",
            fix="give Parquet from `maskkit predict --oof`, or a CSV with a probability column per class",
        )
    if "decision" in predictions.adjusted:
        raise MaskkitError(
            f"{predictions.name} went through a decision before",
            why="what is tuned on them would have to follow that decision, and there can be one only",
            fix="tune on predictions that were made without --decide",
        )
    return predictions.probs


def _tuned(
    manifest: Manifest,
    predictions: Predictions,
    best: Decision,
    others: NestedDecisions,
    changes: tuple[Change, ...],
    rows: NDArray[np.int64],
    options: dict[str, object],
) -> Tuned:
    people = number_people(manifest.known_people[rows], rows=len(rows))
    found = best.measured.get("offsets", {})
    ranges = {name: [one.measured["offsets"][name] for one in others.decisions] for name in found}
    offsets = tuple(
        Offset(name, value, min(ranges[name]), max(ranges[name])) for name, value in found.items()
    )
    tuned = Tuned(best, changes, offsets, len(rows), int(people.max()) + 1, len(others.decisions))
    inputs = (
        manifest.header.input_from(manifest.as_input()),
        predictions.header.input_from(predictions.as_input()),
    )
    record = Record("evaluate", options, inputs)
    history = (*merged([predictions.header.history, manifest.header.history]), record)
    decision = Decision.make(
        manifest.space,
        history,
        method=best.method,
        offsets=best.offsets,
        temperature=best.temperature,
        measured=measured(tuned, consensus="consensus" in predictions.adjusted),
    )
    return replace(tuned, decision=decision)
