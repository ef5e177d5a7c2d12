"""What several models say of the same photos; small, since a vote over submissions loads little else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from maskkit.scoring.metrics import Integers, Probabilities


@dataclass(frozen=True)
class Panel:
    """What the members say, row n of each being of the same photo.

    Args:
        answers: The class that each answers, (N,) per member.
        probs: Class probabilities, (N, C) per member; None unless every member has them.
        classes: Number of classes C.
    """

    answers: Sequence[Integers]
    probs: Sequence[Probabilities] | None
    classes: int

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.answers)

    def take(self, rows: NDArray[Any]) -> Panel:
        """Return what they say of some photos (a mask or indices)."""
        probs = None if self.probs is None else [part[rows] for part in self.probs]
        return Panel([part[rows] for part in self.answers], probs, self.classes)

    def only(self, members: Sequence[int]) -> Panel:
        """Return what some of the members say."""
        probs = None if self.probs is None else [self.probs[member] for member in members]
        return Panel([self.answers[member] for member in members], probs, self.classes)
