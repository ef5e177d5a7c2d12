"""Everything that `maskkit evaluate` found, as one value that JSON, TSV, the terminal and HTML share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from maskkit.artifacts.header import Record
from maskkit.scoring.boundary import Boundary
from maskkit.scoring.calibration import Calibration
from maskkit.scoring.changed_answers import Against
from maskkit.scoring.gaps import Gap
from maskkit.scoring.mistakes import WrongAnswer
from maskkit.scoring.results import Scores
from maskkit.scoring.set_scores import SetScores
from maskkit.scoring.shown_photos import ShownPhoto
from maskkit.scoring.slice_scores import Slicing


@dataclass(frozen=True)
class Evaluation:
    """Scores, and what they are scores of."""

    scores: Scores  # measures with their intervals
    log_loss: float | None  # mean cross entropy of the probabilities; None for answers without them
    history: tuple[Record, ...]  # every stage run that led to these scores
    # How answers were changed after inference, as `Predictions.adjusted` has it
    adjusted: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None  # of the probabilities; None for answers without them
    boundaries: tuple[Boundary, ...] = ()  # errors of each numeric factor by the distance from its cuts
    # Wrong answers, the worst first; none for answers without probabilities
    mistakes: tuple[WrongAnswer, ...] = ()
    slices: tuple[Slicing, ...] = ()  # scores of parts of the photos, in the order of `--by`
    gaps: tuple[Gap, ...] = ()  # between the best and the worst level of each factor, and of each slicing
    sets: SetScores | None = None  # how sets keep their promise, if there are sets
    against: Against | None = None  # how other predictions compare, if there are others
    shown: tuple[ShownPhoto, ...] = ()  # photos for a page, which is the only one to show them

    def __repr__(self) -> str:
        return f"<Evaluation: macro-F1 {self.scores.macro_f1}, accuracy {self.scores.accuracy}>"

    @property
    def warnings(self) -> list[str]:
        """What was done to the answers, in words, which every reader of the scores has to know."""
        notes = []
        if consensus := self.adjusted.get("consensus"):
            factors = " and ".join(consensus.get("factors", [])) or "the personal factors"
            notes.append(
                f"consensus: the photos of each person agreed on {factors} before they were predicted; these "
                "are scores of people seen together, and say nothing of photos that come alone"
            )
        if decision := self.adjusted.get("decision"):
            notes.append(
                f"decision: predictions were moved by a tuned decision ({decision.get('method', 'unknown')}, "
                f"{str(decision.get('sha256', ''))[:12]}); scores are fair only on people it was not tuned "
                "on, and probabilities are no longer those that the models gave"
            )
        return notes

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the headline first, floats unrounded."""
        compared = None if self.against is None else {**self.against.facts(), **asdict(self.against)}
        return {
            "log_loss": self.log_loss,
            **asdict(self.scores),
            "adjusted": self.adjusted,
            "warnings": self.warnings,
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "boundaries": [asdict(one) for one in self.boundaries],
            "mistakes": [asdict(one) for one in self.mistakes],
            "slices": [asdict(one) for one in self.slices],
            "gaps": [{**asdict(one), "verdict": one.verdict} for one in self.gaps],
            "sets": None if self.sets is None else asdict(self.sets),
            "against": compared,
        }
