"""Adjustments of a prediction, with all that is fitted for them on out-of-fold predictions."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from maskkit.artifacts.answer_sets import Promise
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.fitting.conformal import Calibrated
from maskkit.fitting.temperature import temperature_decision
from maskkit.predicting.adjustments import Afterwards, with_consensus, with_decision, with_sets
from maskkit.scoring.judged import Judged
from maskkit.scoring.set_scores import share_of_people, silence

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedAdjustments:
    """Adjustments that can be made: a decision, given or fitted, and the sets that were promised."""

    wanted: Afterwards
    decision: Decision | None = None
    calibrated: Calibrated | None = None

    @classmethod
    def of(cls, manifest: Manifest, wanted: Afterwards) -> FittedAdjustments:
        """Fit what is wanted, before anything of the manifest is predicted.

        Raises:
            MaskkitError: It cannot be fitted, or cannot be done to the manifest.
        """
        wanted.check(manifest)
        if wanted.calibrate is None:
            return cls(wanted, wanted.decide)
        truth = wanted.on or manifest
        decision = temperature_decision(truth, wanted.calibrate)
        if wanted.promise is None:
            return cls(wanted, decision)
        return cls(wanted, decision, _calibrated(truth, wanted.calibrate, wanted.promise, wanted.abstain))

    def applied(self, predictions: Predictions, manifest: Manifest) -> Predictions:
        """Return the predictions, adjusted; the manifest has their rows, and no others.

        Sets are of the probabilities as they came: what was calibrated were those of the models.

        Raises:
            MaskkitError: Every photo would be left out.
        """
        adjusted = predictions
        if self.wanted.consensus is not None:
            adjusted = with_consensus(adjusted, manifest.known_people, manifest.space)
        if self.decision is not None:
            adjusted = with_decision(adjusted, self.decision)
        if self.calibrated is None:
            return adjusted
        probs = predictions.need_probs("sets are made of probabilities")
        sets = self.calibrated.sets(probs, self.calibrated.part_of(manifest))
        return with_sets(adjusted, sets, self.wanted.abstain)


def _calibrated(truth: Manifest, unseen: Predictions, promise: Promise, abstain: int | None) -> Calibrated:
    """Calibrate sets, and say how they fare on people of other folds than they were calibrated on."""
    judged = Judged.of(truth, [unseen], "labelled", option="--on MANIFEST").unseen()
    found = Calibrated.of(judged, promise)
    sets = found.sets_of_others()
    held = share_of_people(sets.holds(judged.truth), found.person)
    log.info(
        "sets hold the truth of %.1f %% of %d out-of-fold photos, and %.2f of %d classes",
        *(100 * (held.value or 0), len(judged.truth), sets.sizes.mean(), len(judged.space)),
    )
    if abstain is not None:
        each = [
            silence(sets.sizes, most, judged.truth, judged.answer, classes=len(judged.space))
            for most in (abstain, len(judged.space))
        ]
        if each[0] is not None and each[1] is not None:
            log.info(
                "of these, %.1f %% have sets of more than %d classes; macro-F1 is %.3f without them, and "
                "%.3f with them",
                100 * each[0].left_out, each[0].most, each[0].macro_f1, each[1].macro_f1,
            )  # fmt: skip
    return found
