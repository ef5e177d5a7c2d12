"""How far apart two models are, judged on the same people drawn for both.

Two models are mostly right and wrong on the same people, so the interval of their difference is much
narrower than either's own: it takes from both how they vary together over people (see `intervals`).

Of several models compared with the first, one will look better by luck. The intervals are therefore
widened so that all of them hold together (Bonferroni; Dunn 1961,
https://doi.org/10.1080/01621459.1961.10482090).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.intervals import CONFIDENCE, Ends, around, macro_f1_difference, share_difference
from maskkit.scoring.kinds import kinds_of_people, number_people
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import ACCURACY, MACRO_F1, Counts, Integers
from maskkit.scoring.results import Estimate, Scores
from maskkit.scoring.tally import Tally


@dataclass(frozen=True)
class OnlyOne:
    """Who is right where two models disagree (the counts of McNemar's test), by photo and by person."""

    both: int  # photos that both have right
    first: int  # photos that the first alone has right
    second: int  # photos that the second alone has right
    neither: int  # photos that both have wrong
    people_first: int  # people of whom the first has more photos right
    people_second: int  # people of whom the second has more photos right

    @property
    def p_photos(self) -> float:
        """McNemar's exact test over photos. It takes photos to be independent, and a person's are not."""
        return sign_test(self.first, self.second)

    @property
    def p_people(self) -> float:
        """The same over people, a sign test, which is the one to read: each person counts once."""
        return sign_test(self.people_first, self.people_second)


@dataclass(frozen=True)
class Paired:
    """Several models scored on the same photos."""

    photos: int  # photos scored
    people: int  # people scored, a photo without a person counting as a person of its own
    # Measures of each model by name: macro_f1, accuracy, and each factor's accuracy
    own: tuple[dict[str, Estimate], ...]
    difference: tuple[dict[str, Estimate], ...]  # of each model but the first: its measures less the first's
    only: tuple[OnlyOne, ...]  # of each model but the first: who is right where they disagree
    confidence: float  # that each interval of `own` holds
    confidence_of_difference: float  # the same of each `difference`, with which all hold together
    limit: str  # why the difference in macro-F1 has no interval; empty if it has one


def paired(
    truth: Integers,
    answers: Sequence[Integers],
    *,
    space: LabelSpace,
    person: Integers | None = None,
    comparisons: int | None = None,
    confidence: float = CONFIDENCE,
) -> Paired:
    """Score models on the same photos, and each but the first against the first.

    Args:
        truth: Class of each photo, (N,).
        answers: Class that each model answered, two or more of (N,).
        space: The classes.
        person: A code per person, negative where unknown, (N,).
        comparisons: How many intervals are to hold together, if there are others beside these.
        confidence: That all intervals of differences hold together, and that each own one holds.

    Raises:
        MaskkitError: The arrays differ in length, or a class is not in the label space.
    """
    people = number_people(person, rows=len(truth))  # (N,)
    together = held_together(confidence, comparisons or len(answers) - 1)
    own = [score(truth, answer, space=space, person=person, confidence=confidence) for answer in answers]
    values = [_measures(one) for one in own]
    return Paired(
        photos=len(truth),
        people=own[0].people,
        own=tuple(values),
        difference=tuple(
            _difference((truth, answers[0], other), people, space, (values[0], value), together)
            for other, value in zip(answers[1:], values[1:], strict=True)
        ),
        only=tuple(_only_one(answers[0] == truth, other == truth, people) for other in answers[1:]),
        confidence=confidence,
        confidence_of_difference=together,
        limit=_limit(own[0]),
    )


def _measures(scores: Scores) -> dict[str, Estimate]:
    """Return what `metrics.overall_names` names."""
    factors = scores.factors if len(scores.factors) > 1 else ()
    each = {f"{factor.name}_accuracy": factor.accuracy for factor in factors}
    return {MACRO_F1: scores.macro_f1, ACCURACY: scores.accuracy, **each}


def _limit(scores: Scores) -> str:
    return "one person only" if scores.people == 1 else scores.limits[0] if scores.limits else ""


def _difference(
    photos: tuple[Integers, Integers, Integers],
    people: Counts,
    space: LabelSpace,
    own: tuple[dict[str, Estimate], dict[str, Estimate]],
    confidence: float,
) -> dict[str, Estimate]:
    """Return the measures of a second model less the first's, given truth and both answers, (N,) each."""
    patterns, photo = np.unique(np.stack(photos), axis=1, return_inverse=True)  # (3, P), (N,)
    truth, *both = patterns
    ends: list[Ends | None] = [None] * len(own[0])
    if people.any():  # one person is no sample of people
        kinds = kinds_of_people(photo, people)
        tally = Tally.of_classes(kinds, truth, both, classes=len(space))
        has_interval = own[0][MACRO_F1].low is not None
        ends[0] = macro_f1_difference(tally, space.shape, confidence=confidence) if has_interval else None
        right = zip(*(metrics.overall_right(truth, one, space) for one in both), strict=True)
        ends[1:] = [share_difference(Tally.of_right(kinds, pair), confidence=confidence) for pair in right]
    values = [
        (one.value or 0.0) - (other.value or 0.0) for other, one in zip(*map(dict.values, own), strict=True)
    ]
    return dict(zip(own[0], map(around, values, ends), strict=True))


def sign_test(first: int, second: int) -> float:
    """Return how likely so uneven counts, or more uneven ones, are if both sides were equally likely.

    The exact two-sided binomial test: of the two that disagree, McNemar's (McNemar 1947,
    https://doi.org/10.1007/BF02295996).
    """
    from scipy.special import bdtr  # takes time to load, which a vote without a fit does without

    both = first + second
    return min(1.0, 2 * float(bdtr(min(first, second), both, 0.5))) if both else 1.0


def held_together(confidence: float, comparisons: int) -> float:
    """Return the confidence that each of several intervals needs for all to hold together (Bonferroni)."""
    return 1 - (1 - confidence) / comparisons


def _only_one(first: NDArray[np.bool_], second: NDArray[np.bool_], people: Counts) -> OnlyOne:
    more = np.bincount(people, weights=second.astype(np.int64) - first)  # (people,), photos more right
    photos = first & second, first & ~second, ~first & second, ~first & ~second
    return OnlyOne(*(int(one.sum()) for one in (*photos, more < 0, more > 0)))
