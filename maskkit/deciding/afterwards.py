"""What `predict` and `ensemble` do to probabilities once all models have spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from maskkit.artifacts.columns import Integers
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.header import Header, Input, same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.deciding.adjusting import with_consensus, with_decision
from maskkit.deciding.consensus import personal_axes
from maskkit.deciding.tempering import temperature_decision
from maskkit.errors import MaskkitError
from maskkit.scoring.matching import check_answers, places


@dataclass(frozen=True)
class Afterwards:
    """Adjustments, in the order in which they are made.

    Args:
        consensus: Whose photos agree on what they share; None for nobody's.
        calibrate: Out-of-fold predictions that a temperature is fitted on; not together with `decide`.
        on: Holds their truth; None for the manifest that is predicted.
        decide: How probabilities become answers.
    """

    consensus: Literal["person"] | None = None
    calibrate: Predictions | None = None
    on: Manifest | None = None
    decide: Decision | None = None

    def decision(self, manifest: Manifest) -> Decision | None:
        """Return the decision to apply, after making sure that all of this can be done to the manifest.

        Raises:
            MaskkitError: It cannot; better now than after a million photos.
            RefusedError: The predictions to calibrate on leak.
        """
        if self.consensus is not None:
            personal_axes(manifest.space)
            if not (manifest.known_people >= 0).any():
                raise MaskkitError(
                    "--consensus person needs to know who is on the photos",
                    why=f"{manifest.name} names no person",
                    fix="leave it out, or give `maskkit label` a table that names the people",
                )
        if self.calibrate is not None:
            truth = self.on or manifest
            same_space(manifest.space, truth.space, names=(manifest.name, truth.name))
            return temperature_decision(truth, self.calibrate)
        if self.decide is not None:
            same_space(manifest.space, self.decide.space, names=(manifest.name, self.decide.name))
        return self.decide

    def applied(
        self, predictions: Predictions, manifest: Manifest, rows: Integers, decision: Decision | None
    ) -> Predictions:
        """Return the predictions adjusted.

        Args:
            predictions: As the models made them, (N,).
            manifest: Whose photos they are.
            rows: Which rows of it, (N,).
            decision: As from `decision`.
        """
        if self.consensus is not None:
            predictions = with_consensus(predictions, manifest.known_people[rows], manifest.space)
        return predictions if decision is None else with_decision(predictions, decision)

    def inputs(self) -> list[Input]:
        """Return the files that were read, each with its option."""
        read = {"calibrate": self.calibrate, "on": self.on, "decide": self.decide}
        return [_input(item.header, item, option) for option, item in read.items() if item is not None]

    def options(self) -> dict[str, str | None]:
        """Return what is recorded of it."""
        read = {"calibrate": self.calibrate, "on": self.on, "decide": self.decide}
        names = {option: None if item is None else item.as_input().name for option, item in read.items()}
        return {"consensus": self.consensus, **names}


def _input(header: Header, item: Predictions | Manifest | Decision, option: str) -> Input:
    found = header.input_from(item.as_input())
    return Input(found.path, found.sha256, found.made_by, option)


@dataclass(frozen=True)
class AfterVote:
    """What is done to a blend; the scores of a fit are of the blend before that.

    Args:
        consensus: Names the people whose photos agree on the factors they share; None to leave that out.
        decision: Changes the answers; None to leave that out.
    """

    consensus: Manifest | None = None
    decision: Decision | None = None

    def applied(self, blend: Predictions) -> Predictions:
        """Return the blend adjusted.

        Raises:
            MaskkitError: It cannot be, or the manifest lacks some of its photos.
        """
        if self.consensus is not None:
            check_answers(self.consensus, blend)
            person = _people_of(blend, self.consensus)
            blend = with_consensus(blend, person, self.consensus.space)
        return blend if self.decision is None else with_decision(blend, self.decision)


def _people_of(predictions: Predictions, manifest: Manifest) -> Integers:
    """Return the person on each photo, a negative number where nobody is named, (N,)."""
    place = places(manifest, predictions)
    rows = np.flatnonzero(place >= 0)
    if len(rows) < len(predictions):
        raise MaskkitError(
            f"{manifest.name} has {len(rows)} of the {len(predictions)} photos that are blended",
            why="--consensus needs to know who is on each",
            fix="give the manifest of these photos: --who MANIFEST",
        )
    person = np.full(len(predictions), -1)
    person[place[rows]] = manifest.known_people[rows]
    return person
