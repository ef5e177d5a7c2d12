"""What tuning brings to people it has not seen, as one value that the terminal and the decision share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.decision import Decision
from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.calibration import calibration
from maskkit.scoring.intervals import CONFIDENCE, around, mean_interval
from maskkit.scoring.kinds import number_people
from maskkit.scoring.metrics import ACCURACY, MACRO_F1, Integers, cross_entropies, log_loss
from maskkit.scoring.paired import paired
from maskkit.scoring.results import Estimate

LOG_LOSS, ECE = "log_loss", "ece"
TITLES = {MACRO_F1: "macro-F1", ACCURACY: "accuracy", LOG_LOSS: "cross entropy", ECE: "calibration error"}


@dataclass(frozen=True)
class Change:
    """One measure, without and with a decision."""

    measure: str  # its name
    plain: float  # without
    in_sample: float  # with it, on the people it was tuned on: what tuning promises
    nested: float  # with it, on people it was not tuned on: what tuning keeps
    gain: Estimate  # `nested` better than `plain` by so much, on the same people drawn for both

    @property
    def title(self) -> str:
        """The measure, as people write it."""
        return TITLES[self.measure]

    @property
    def verdict(self) -> str:
        """Say whether the gain is more than noise."""
        is_worse = self.gain.high is not None and self.gain.high < 0
        return self.gain.verdict + (", so better not used" if is_worse else "")


@dataclass(frozen=True)
class Offset:
    """The offset of one term."""

    name: str  # of a class, or of a factor and its level
    value: float  # tuned on all people
    low: float  # the lowest of those tuned without a part of the people
    high: float  # the highest of those


@dataclass(frozen=True)
class Tuned:
    """A decision, and what it was seen to bring."""

    decision: Decision  # tuned on all people
    changes: tuple[Change, ...]  # measures, the one that was tuned for first
    offsets: tuple[Offset, ...]  # by term; none for a temperature
    photos: int  # photos it was tuned on
    people: int  # people on them
    parts: int  # into which the people were divided to tune on the others

    @property
    def sentence(self) -> str:
        """Say what tuning brought, and whether that is noise."""
        first = self.changes[0]
        gain, value = first.gain, first.gain.value or 0.0
        interval = (
            "no interval: one person only"
            if gain.low is None or gain.high is None
            else f"{CONFIDENCE:.0%} interval {_signed(gain.low)} to {_signed(gain.high)}"
        )
        how = f"{'worsens' if value < 0 else 'improves'} by {abs(value):.4f}" if round(value, 4) else "stays"
        return (
            f"tuned {self.decision.method}: {first.title} {how} ({interval}) on people it was not tuned on: "
            f"{first.verdict}"
        )


def changes_of_answers(
    truth: Integers, answers: Mapping[str, Integers], *, space: LabelSpace, person: Integers
) -> tuple[Change, ...]:
    """Return macro-F1 and accuracy of answers `plain`, and decided `in_sample` and `nested`, (N,) each."""
    both = paired(truth, [answers["plain"], answers["nested"]], space=space, person=person)
    tables = {name: metrics.confusion(truth, answer, classes=len(space)) for name, answer in answers.items()}
    changes = []
    for measure, measured in ((MACRO_F1, metrics.macro_f1), (ACCURACY, metrics.accuracy)):
        scores = {name: float(measured(table)) for name, table in tables.items()}
        changes.append(Change(measure, **scores, gain=both.difference[0][measure]))
    return tuple(changes)


def changes_of_probabilities(
    truth: Integers, probs: Mapping[str, NDArray[np.float32]], *, person: Integers
) -> tuple[Change, ...]:
    """Return cross entropy and calibration error with and without a temperature; the lower the better.

    The probabilities are `plain`, `in_sample` and `nested`, (N, C) each.
    """
    losses = {name: log_loss(truth, one) for name, one in probs.items()}
    errors = {name: calibration(truth, one).ece for name, one in probs.items()}
    people = number_people(person, rows=len(truth))
    fewer = cross_entropies(truth, probs["plain"]) - cross_entropies(truth, probs["nested"])  # (N,), nats
    gain = around(float(fewer.mean()), mean_interval(fewer, people) if people.any() else None)
    unknown = Estimate(errors["plain"] - errors["nested"], None, None)
    return (Change(LOG_LOSS, **losses, gain=gain), Change(ECE, **errors, gain=unknown))


def measured(tuned: Tuned, *, consensus: bool) -> dict[str, Any]:
    """Return what a decision keeps of how it was tuned, on photos that had agreed by `consensus` or not."""
    return {
        "sentence": tuned.sentence,
        "people": tuned.people,
        "photos": tuned.photos,
        "parts": tuned.parts,
        "consensus": consensus,
        "changes": [asdict(one) for one in tuned.changes],
        "offsets": [asdict(one) for one in tuned.offsets],
    }


def _signed(value: float) -> str:
    return f"{round(value, 4) + 0.0:+.4f}"
