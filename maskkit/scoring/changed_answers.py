"""Two predictions of the same photos: how far apart they are, and which photos changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.runs import labels_of
from maskkit.scoring.judged import Judged
from maskkit.scoring.paired import paired
from maskkit.scoring.results import Estimate
from maskkit.scoring.run_comparison import Versus

MOST_CHANGED = 1000  # photos that are named


@dataclass(frozen=True)
class Changed:
    """A photo that one of the two has right and the other wrong."""

    path: str  # of the photo
    person: str | None  # who is on it; None if nobody is named
    truth: str  # name of its class
    prediction: str  # of these predictions
    other: str  # of the others
    is_right: bool  # whether these are right


@dataclass(frozen=True)
class Against:
    """Predictions compared with others on the photos that both predict."""

    name: str  # of the others
    # The difference, these less the others, its intervals, and who is right where they disagree
    versus: Versus
    own: dict[str, Estimate]  # measures of these predictions on those photos, by name
    other: dict[str, Estimate]  # the same of the others
    photos: int  # photos
    people: int  # people on them
    predictions_changed: int  # photos that the two predict differently
    changed: tuple[Changed, ...]  # those of them of which one has the truth, the first MOST_CHANGED
    notes: tuple[str, ...]  # what limits the comparison

    def facts(self) -> dict[str, Any]:
        """Return what stands beside the numbers: the sentence, and both tests."""
        only = self.versus.only
        assert only is not None
        return {
            "sentence": self.versus.sentence,
            "is_noise": self.versus.is_noise,
            "detectable": self.versus.detectable,
            "p_photos": only.p_photos,
            "p_people": only.p_people,
        }


def against(judged: Judged) -> Against:
    """Compare the second of two predictions with the first, on the same people."""
    theirs, ours = judged.panel.answers
    found = paired(judged.truth, [theirs, ours], space=judged.space, person=judged.person)
    second, first = labels_of(judged.names)
    return Against(
        name=judged.names[0],
        versus=Versus(
            label=first,
            first=second,
            confidence=found.confidence_of_difference,
            difference=found.difference[0],
            only=found.only[0],
            by_fold=None,
            folds=0,
            folds_better=0,
            limit=found.limit,
        ),
        own=found.own[1],
        other=found.own[0],
        photos=found.photos,
        people=found.people,
        predictions_changed=int((ours != theirs).sum()),
        changed=_changed(judged),
        notes=(*judged.left_out((second, first)), *_adjusted_otherwise((second, first), judged.given)),
    )


def _adjusted_otherwise(names: Sequence[str], given: Sequence[Predictions]) -> Iterator[str]:
    """Say if only one of two was adjusted."""
    adjusted = [" and ".join(one.adjusted) for one in given]
    if adjusted[0] != adjusted[1]:
        notes = [f"after {one}" if one else "as its models predicted" for one in adjusted]
        how = (f"{name} {one}" for name, one in zip(names, notes, strict=True))
        yield f"{', '.join(how)}: the difference may be due to that alone"


def some_changed(changed: Sequence[Changed], most: int) -> list[Changed]:
    """Return at most so many, as far as possible half of them worse and half better than the others."""
    worse, better = ([one for one in changed if one.is_right == is_right] for is_right in (False, True))
    few = max(most // 2, most - len(better))
    return [*worse[:few], *better[: most - len(worse[:few])]]


def _changed(judged: Judged) -> tuple[Changed, ...]:
    theirs, ours = judged.panel.answers
    is_right = ours == judged.truth
    places = np.flatnonzero(is_right != (theirs == judged.truth))
    places = places[np.argsort(is_right[places], kind="stable")][:MOST_CHANGED]  # what got worse comes first
    names = judged.space.names
    return tuple(
        Changed(path, person, names[judged.truth[at]], names[ours[at]], names[theirs[at]], bool(is_right[at]))
        for (path, person), at in zip(judged.take(places).columns("path", "person_id"), places, strict=True)
    )
