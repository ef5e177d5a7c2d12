"""Choose how probabilities become answers, and measure what that brings to people it was not chosen on."""

from __future__ import annotations

from dataclasses import replace

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import encoding_given
from maskkit.artifacts.header import Record, merged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError
from maskkit.fitting.gain import Offset, Tuned, changes_of_answers, changes_of_probabilities, measured
from maskkit.fitting.offsets import TEMPERATURE, nested, terms
from maskkit.fitting.offsets import tune as tune_on
from maskkit.fitting.people_parts import parts_of_people
from maskkit.scoring.judged import Judged
from maskkit.scoring.kinds import number_people


def check_tuning(manifest: Manifest, predictions: Predictions, method: str) -> None:
    """Raise a MaskkitError of what cannot be tuned, whomever the models have seen."""
    terms(manifest.space, method)
    if "decision" in predictions.adjusted:
        raise MaskkitError(
            f"{predictions.name} went through a decision before",
            why="what is tuned on them would have to follow that decision, and there can be one only",
            fix="tune on predictions that were made without --decide",
        )


def tune(
    manifest: Manifest,
    predictions: Predictions,
    *,
    method: str,
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

    The method is `classes`, `factors`, the name of a factor, or `temperature`. The seed divides people into
    parts.

    Raises:
        MaskkitError: There is no such method, no probabilities, or too few people; or it was decided before.
        RefusedError: Models have seen people they answer for, unless `allow_leak`.
    """
    check_tuning(manifest, predictions, method)
    judged = Judged.of(manifest, [predictions], "whole folds").unseen(allow_leak=allow_leak)
    truth, person, space = judged.truth, judged.person, judged.space
    probs = judged.need_probs("probabilities are what is tuned")
    part = parts_of_people(judged, seed=seed)
    work_begins()
    best = tune_on(truth, probs, space, method)
    decided, decisions = nested(truth, probs, part, space, method)
    given = {"plain": probs, "in_sample": best.applied(probs), "nested": decided}
    if method == TEMPERATURE:
        changes = changes_of_probabilities(truth, given, person=person)
    else:
        answers = {name: one.argmax(axis=1) for name, one in given.items()}
        changes = changes_of_answers(truth, answers, space=space, person=person)
    found = best.measured.get("offsets", {})
    ranges = {name: [one.measured["offsets"][name] for one in decisions] for name in found}
    offsets = tuple(
        Offset(name, value, min(ranges[name]), max(ranges[name])) for name, value in found.items()
    )
    people = int(number_people(person, rows=len(person)).max()) + 1
    tuned = Tuned(best, changes, offsets, len(truth), people, len(decisions))
    options = {"tune": method, "seed": seed, "allow_leak": allow_leak}
    options |= encoding_given(predictions.source)
    inputs = tuple(one.header.input_from(one.as_input()) for one in (manifest, predictions))
    history = merged([predictions.header.history, manifest.header.history])
    decision = Decision.make(
        space,
        (*history, Record("evaluate", options, inputs)),
        method=best.method,
        offsets=best.offsets,
        temperature=best.temperature,
        measured=measured(tuned, consensus="consensus" in predictions.adjusted),
    )
    return replace(tuned, decision=decision)
