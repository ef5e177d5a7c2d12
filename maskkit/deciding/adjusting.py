"""What is done to probabilities after the models have spoken, and said loudly in the header."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Integers
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import same_space
from maskkit.artifacts.predictions import Predictions
from maskkit.deciding.consensus import agreed, personal_axes
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace

log = logging.getLogger(__name__)


def with_consensus(predictions: Predictions, person: Integers, space: LabelSpace) -> Predictions:
    """Let the photos of each person agree on the personal factors; the header says so.

    Args:
        predictions: With probabilities.
        person: A code per person in the order of the predictions, negative where unknown, (N,).
        space: The classes.

    Raises:
        MaskkitError: There are no probabilities, no people, no personal factors, or they agreed before.
    """
    probs = _probabilities(predictions, "--consensus")
    _refuse_twice(predictions, "consensus", "--consensus")
    if not (person >= 0).any():
        raise MaskkitError(
            "--consensus person needs to know who is on the photos",
            why="the manifest names no person",
            fix="leave it out, or give `maskkit label` a table that names the people",
        )
    people, photos = len(np.unique(person[person >= 0])), int((person >= 0).sum())
    factors = [space.factors[axis].name for axis in personal_axes(space)]
    log.warning(
        "consensus: the %d photos of %d people agreed on their %s; a score of these predictions is one of "
        "people seen together, and says nothing of photos that come alone",
        photos, people, " and ".join(factors),
    )  # fmt: skip
    fact = {"by": "person", "factors": factors, "people": people, "photos": photos}
    return _changed(predictions, agreed(probs, person, space).astype(np.float32), "consensus", fact)


def with_decision(predictions: Predictions, decision: Decision) -> Predictions:
    """Answer as the decision says; the header says so.

    Raises:
        MaskkitError: There are no probabilities, the classes are others, or it was decided before.
    """
    probs = _probabilities(predictions, "--decide")
    _refuse_twice(predictions, "decision", "--decide")
    if predictions.header.space is not None:
        same_space(predictions.header.space, decision.space, names=(predictions.name, decision.name))
    if predictions.classes is not None and predictions.classes != tuple(decision.space.names):
        raise MaskkitError(
            f"{predictions.name} has other classes than {decision.name}",
            why=f"{examples(predictions.classes)} against {examples(decision.space.names)}",
            fix="use a decision tuned on predictions of the same task",
        )
    _tell_of_consensus(predictions, decision)
    fact = {"method": decision.method, "sha256": decision.as_input().sha256}
    return _changed(predictions, decision.applied(probs), "decision", fact)


def _tell_of_consensus(predictions: Predictions, decision: Decision) -> None:
    """Warn if a decision was tuned on probabilities unlike these, as far as the two headers tell."""
    was, now = decision.measured.get("consensus"), "consensus" in predictions.adjusted
    if was is not None and was != now:
        log.warning(
            "%s was tuned %s consensus, and is applied %s: what it was measured to bring does not hold here",
            decision.name, "after a" if was else "without", "without" if was else "after one",
        )  # fmt: skip


def joined(members: Sequence[Predictions]) -> dict[str, object]:
    """Return the adjustments of several predictions, for the header of what is made of them."""
    found: dict[str, object] = {}
    for member in members:
        found.update(member.adjusted)
    return found


def _probabilities(predictions: Predictions, option: str) -> NDArray[np.float32]:
    if predictions.probs is None:
        raise MaskkitError(
            f"{option} needs probabilities",
            why=f"{predictions.name} has answers only",
            fix="give Parquet, or a CSV with a probability column per class",
        )
    return predictions.probs


def _refuse_twice(predictions: Predictions, name: str, option: str) -> None:
    if name in predictions.adjusted:
        raise MaskkitError(
            f"{predictions.name} went through a {name} before",
            why="a second one would change the answers again, away from what was tuned",
            fix=f"leave out {option}, or begin with predictions that had none",
        )


def _changed(predictions: Predictions, probs: NDArray[np.float32], name: str, fact: object) -> Predictions:
    header = replace(predictions.header, facts={**predictions.header.facts, name: fact})
    return replace(predictions, probs=probs, answer=probs.argmax(1), header=header, source=None)
