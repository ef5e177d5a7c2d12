"""What is done to probabilities after inference, and is recorded in the header.

Photos of one person share a gender and an age: consensus lets them agree on it, and on nothing else. Of each
photo the model predicts how likely each combination of personal factors is. A person's photos are
taken together by the geometric mean of these, the logarithmic pool (Genest and Zidek 1986,
https://doi.org/10.1214/ss/1177013825). A product would suppose photos that know nothing of each other,
and photos of a person are near-copies. What is predicted of a photo's other factors, given the personal
ones, stays its own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import AnswerSets, Promise
from maskkit.artifacts.columns import SMALLEST, Integers
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import encoding_given
from maskkit.artifacts.header import Input, same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import Floats, Probabilities
from maskkit.scoring.panel import check_same_classes

log = logging.getLogger(__name__)


def personal_axes(space: LabelSpace) -> tuple[int, ...]:
    """Return the places of the factors that all photos of a person share.

    Raises:
        MaskkitError: The task names none.
    """
    axes = tuple(place for place, factor in enumerate(space.factors) if factor.personal)
    if not axes:
        raise MaskkitError(
            "the task names no factor that all photos of a person share",
            why="only such factors can be agreed on",
            fix="write `personal = true` beside them in the task file, and run `maskkit label` again",
        )
    return axes


def agreed(probs: Probabilities, person: Integers, space: LabelSpace) -> Floats:
    """Return the probabilities, (N, C), after each person's photos have agreed on the personal factors.

    All photos of a person get the same marginal probabilities of these together. Rows sum to 1, before and
    after; those whose person, (N,), is unknown, negative, stay as they are.

    Raises:
        MaskkitError: The task has no personal factor.
    """
    others = tuple(1 + axis for axis in range(len(space.factors)) if axis not in personal_axes(space))
    known = np.flatnonzero(person >= 0)
    joint = np.asarray(probs, np.float64)[known].reshape(-1, *space.shape)  # (K, L1, L2, ...)
    own = joint.sum(axis=others, keepdims=True)  # (K, 1, L2, ...)
    number = np.unique(person[known], return_inverse=True)[1].ravel()  # (K,)
    logs = np.log(np.maximum(own, SMALLEST)).reshape(len(known), -1)  # (K, cells)
    photos = np.bincount(number)
    sums = np.stack([np.bincount(number, column, minlength=len(photos)) for column in logs.T], axis=1)
    pooled = np.exp(sums / photos[:, None])  # (people, cells)
    pooled /= pooled.sum(axis=1, keepdims=True)
    even = own.size / joint.size  # where a photo rules a combination out, nothing is known of the rest
    given = np.divide(joint, own, out=np.full_like(joint, even), where=own > 0)
    together = given * pooled[number].reshape(own.shape)
    result = np.asarray(probs, np.float64).copy()
    rows = together.reshape(len(known), -1)
    result[known] = rows / rows.sum(axis=1, keepdims=True)
    return result


def with_consensus(predictions: Predictions, person: Integers, space: LabelSpace) -> Predictions:
    """Let the photos of each person agree on the personal factors, as `agreed`; the header records it.

    Raises:
        MaskkitError: There are no probabilities, no people, no personal factors, or they agreed before.
    """
    probs = predictions.need_probs("photos agree by their probabilities")
    _refuse_twice(predictions, "consensus", "--consensus")
    _refuse_nobody(person, "the manifest")
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
    """Answer by the decision; the header records it.

    Raises:
        MaskkitError: There are no probabilities, the classes are others, or it was decided before.
    """
    probs = predictions.need_probs("a decision moves probabilities")
    _refuse_twice(predictions, "decision", "--decide")
    check_same_classes(predictions, decision.space, of=decision.name)
    was, now = decision.measured.get("consensus"), "consensus" in predictions.adjusted
    if was is not None and was != now:
        log.warning(
            "%s was tuned %s consensus, and is applied %s: what it was measured to bring does not hold here",
            decision.name, "after a" if was else "without", "without" if was else "after one",
        )  # fmt: skip
    fact = {"method": decision.method, "sha256": decision.as_input().sha256}
    return _changed(predictions, decision.applied(probs), "decision", fact)


def with_sets(predictions: Predictions, sets: AnswerSets, abstain: int | None) -> Predictions:
    """Put sets beside the answers, and leave out photos whose sets have more than `abstain` classes.

    Raises:
        MaskkitError: None is left.
    """
    kept = np.flatnonzero(sets.sizes <= abstain) if abstain is not None else np.arange(len(predictions))
    if not len(kept):
        raise MaskkitError(
            f"none of {len(predictions)} photos has a set of at most {abstain} classes",
            why="--abstain leaves out the others",
            fix="use a larger --abstain, or promise less by --sets",
        )
    promise, left_out = sets.promise, len(predictions) - len(kept)
    fact = {"coverage": promise.coverage, "per": promise.per, "abstain": abstain, "left_out": left_out}
    header = replace(predictions.header, facts={**predictions.header.facts, "sets": fact})
    return replace(predictions, sets=sets, header=header, source=None).take(kept)


def _refuse_nobody(person: Integers, name: str) -> None:
    if not (person >= 0).any():
        raise MaskkitError(
            "--consensus person needs to know who is on the photos",
            why=f"{name} names no person",
            fix="leave it out, or give `maskkit label` a table that names the people",
        )


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


@dataclass(frozen=True)
class Afterwards:
    """Adjustments, in the order in which they are made."""

    consensus: Literal["person"] | None = None  # whose photos agree on what they share; None for nobody's
    # Out-of-fold predictions that a temperature is fitted on; not together with `decide`
    calibrate: Predictions | None = None
    on: Manifest | None = None  # holds their truth; None for the manifest that is predicted
    decide: Decision | None = None  # how probabilities become answers
    promise: Promise | None = None  # of sets that are calibrated on `calibrate`
    abstain: int | None = None  # photos whose sets have more classes are left out

    def check(self, manifest: Manifest) -> None:
        """Make sure that all of this can be done to the manifest: better now than after a million photos.

        Raises:
            MaskkitError: It cannot.
        """
        if self.consensus is not None:
            personal_axes(manifest.space)
            _refuse_nobody(manifest.known_people, manifest.name)
        truth = self.on or manifest
        same_space(manifest.space, truth.space, names=(manifest.name, truth.name))
        if self.decide is not None:
            same_space(manifest.space, self.decide.space, names=(manifest.name, self.decide.name))

    def inputs(self) -> list[Input]:
        """Return the files that were read, each with its option."""
        given = [(option, item) for option, item in self._read().items() if item is not None]
        return [replace(one.header.input_from(one.as_input()), option=option) for option, one in given]

    def options(self) -> dict[str, object]:
        """Return what is recorded of it."""
        names = {name: None if item is None else item.as_input().name for name, item in self._read().items()}
        read = None if self.calibrate is None else self.calibrate.source
        promise = (
            {} if self.promise is None else {"sets": self.promise.coverage, "sets_per": self.promise.per}
        )
        silent = {} if self.abstain is None else {"abstain": self.abstain}
        return {"consensus": self.consensus, **names, **encoding_given(read), **promise, **silent}

    def _read(self) -> dict[str, Predictions | Manifest | Decision | None]:
        return {"calibrate": self.calibrate, "on": self.on, "decide": self.decide}
