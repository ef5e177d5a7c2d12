"""How often a factor that is cut from a number is answered wrongly, by how far the number is from the cut.

A person of 59 looks as one of 60 does, so most errors of an age band are expected beside its edges. Errors
far from every cut are of another kind, such as wrong labels or faces that are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskkit.labels import Factor
from maskkit.scoring.intervals import CONFIDENCE, around, share_interval
from maskkit.scoring.kinds import kinds_of_people, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers
from maskkit.scoring.results import Estimate
from maskkit.scoring.tally import Tally

REACH = 10  # steps to either side; what is further is put together
MOST_PRECISE = 100  # whole numbers within this distance, such as years of age, are taken in steps of 1


@dataclass(frozen=True)
class Step:
    """Photos whose number is about as far from the cut."""

    distance: float  # from the cut to the lower end of the step, negative below the cut
    label: str  # as people read it: `-1`, `+0` for the cut itself, `≤-10` and `≥+10` at the ends
    photos: int  # photos
    people: int  # people on them
    error: Estimate  # share of photos whose level of the factor was answered wrongly


@dataclass(frozen=True)
class Boundary:
    """A factor's errors beside one cut, or beside whichever is nearest."""

    factor: str  # its name
    cut: float | None  # of the photos nearest to it; None for the photos of all cuts
    width: float  # of a step, in units of the number
    steps: tuple[Step, ...]  # from far below to far above; those without a photo are left out
    unknown: int  # photos whose number is not known


def signed_distances(numbers: Floats, cuts: Sequence[float]) -> tuple[Floats, Counts]:
    """Return how far numbers, (N,), are from the nearest cut, negative below it, and which cut that is.

    Of two cuts that are equally far, the lower one counts. NaN stays NaN.
    """
    apart = numbers[:, None] - np.asarray(cuts)  # (N, cuts)
    nearest = np.argmin(np.where(np.isnan(apart), np.inf, np.abs(apart)), axis=1)
    return apart[np.arange(len(numbers)), nearest], nearest.astype(np.int64)


def boundaries(
    factor: Factor,
    numbers: Floats,
    wrong: Integers,
    *,
    person: Integers | None = None,
    confidence: float = CONFIDENCE,
) -> list[Boundary]:
    """Return the errors by distance from the nearest cut: of all photos, then, if there are several, per cut.

    Nothing if no number is known. Given is the number behind each photo's level, NaN where unknown, whether
    the level was answered wrongly, and a code per person, negative where unknown, (N,) each.
    """
    known = np.flatnonzero(~np.isnan(numbers))
    if not len(known):
        return []
    distance, nearest = signed_distances(numbers[known], factor.cuts)
    width = _width(numbers[known], distance)
    people = number_people(person, rows=len(numbers))[known]
    unknown = len(numbers) - len(known)
    chosen: list[tuple[float | None, Counts]] = [(None, np.arange(len(known)))]
    if len(factor.cuts) > 1:
        chosen += [(cut, np.flatnonzero(nearest == place)) for place, cut in enumerate(factor.cuts)]
    found = []
    for cut, rows in chosen:
        if len(rows):
            step = np.clip(np.floor(distance[rows] / width + 1e-9), -REACH, REACH).astype(np.int64)
            own = number_people(people[rows], rows=len(rows))
            steps = _steps(step, wrong[known][rows], own, width, confidence)
            found.append(Boundary(factor.name, cut, width, steps, unknown))
    return found


def _steps(
    step: Counts, wrong: Integers, people: Counts, width: float, confidence: float
) -> tuple[Step, ...]:
    steps = []
    for number in np.unique(step).tolist():
        rows = np.flatnonzero(step == number)
        is_wrong, own = (wrong[rows] != 0).astype(np.int64), number_people(people[rows], rows=len(rows))
        ends = None
        if own.any():  # one person is no sample of people
            tally = Tally.of_right(kinds_of_people(is_wrong, own), [np.arange(2)])
            ends = share_interval(tally, confidence=confidence)
        error, several = around(float(is_wrong.mean()), ends), int(own.max()) + 1
        steps.append(Step(float(number * width), _label(number, width), len(rows), several, error))
    return tuple(steps)


def _label(number: int, width: float) -> str:
    ends = {-REACH: "\N{LESS-THAN OR EQUAL TO}", REACH: "\N{GREATER-THAN OR EQUAL TO}"}
    return f"{ends.get(number, '')}{number * width:+g}"


def _width(numbers: Floats, distance: Floats) -> float:
    """Return 1 for whole numbers near their cuts, or a round width of which half the photos are in reach."""
    if (numbers % 1 == 0).all() and np.abs(distance).max() <= MOST_PRECISE:
        return 1.0
    rough = max(float(np.median(np.abs(distance))) / REACH, 1e-9)
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough - 1e-12))
