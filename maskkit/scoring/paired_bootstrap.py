"""How far apart two models are, judged on the same people drawn for both.

Two models are mostly right and wrong on the same people, so the interval of their difference is much
narrower than either's own. The paired bootstrap (Efron and Tibshirani 1993, chapter 16; for scores of
systems on one test set Koehn 2004, https://aclanthology.org/W04-3250) draws people once and scores
every model on them. As in `bootstrap`, people are drawn, each with all their photos.

Of several models compared with the first, one will look better by luck. The intervals are therefore
widened so that all of them hold together (Bonferroni; Dunn 1961,
https://doi.org/10.1080/01621459.1961.10482090).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskkit.labels import LabelSpace
from maskkit.scoring import metrics
from maskkit.scoring.bootstrap import DRAWS, Bootstrap, Kinds, kinds_of_people, number_people
from maskkit.scoring.metrics import Counts, Floats, Integers
from maskkit.scoring.results import Estimate


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

    rows: int  # photos scored
    people: int  # people scored, a photo without a person counting as a person of its own
    # Measures of each model by name: macro_f1, accuracy, and each factor's accuracy
    own: tuple[dict[str, Estimate], ...]
    difference: tuple[dict[str, Estimate], ...]  # of each model but the first: its measures less the first's
    only: tuple[OnlyOne, ...]  # of each model but the first: who is right where they disagree
    confidence: float  # share of the replicates inside the interval of `own`
    confidence_of_difference: float  # the same of each `difference`, with which all hold together
    replicates: int  # bootstrap replicates drawn


def paired(
    truth: Integers,
    answers: Sequence[Integers],
    *,
    space: LabelSpace,
    person: Integers | None = None,
    comparisons: int | None = None,
    draws: Bootstrap = DRAWS,
) -> Paired:
    """Score models on the same photos, and each but the first against the first.

    Args:
        truth: Class of each photo, (N,).
        answers: Class that each model answered, two or more of (N,).
        space: The classes.
        person: A code per person, negative where unknown, (N,).
        comparisons: How many intervals are to hold together, if there are others beside these.
        draws: As many replicates for each comparison, so that the ends of widened intervals rest on as many.
            The confidence is that all intervals of differences hold together, and that each own one holds.

    Raises:
        MaskkitError: The arrays differ in length, or a class is not in the label space.
    """
    classes = len(space)
    cell = np.stack([metrics.cells(truth, answer, classes=classes) for answer in answers])  # (M, N)
    people = number_people(person, rows=len(truth))  # (N,)
    patterns, code = np.unique(cell, axis=1, return_inverse=True)  # (M, P), (N,)
    comparisons = comparisons or len(answers) - 1
    draws = replace(draws, replicates=draws.replicates * comparisons)
    together = replace(draws, confidence=held_together(draws.confidence, comparisons))
    redrawn = _redrawn(kinds_of_people(code, people), patterns, space, draws)
    tables = np.stack([metrics.confusion(truth, answer, classes=classes) for answer in answers])
    found = metrics.overall(tables, space)  # (M, measures)

    def named(estimates: Sequence[Estimate]) -> dict[str, Estimate]:
        return dict(zip(metrics.overall_names(space), estimates, strict=True))

    right = np.stack([answer == truth for answer in answers])  # (M, N)
    return Paired(
        rows=len(truth),
        people=int(people.max(initial=-1)) + 1,
        own=tuple(
            named(draws.around(value, drawn, people)) for value, drawn in zip(found, redrawn, strict=True)
        ),
        difference=tuple(
            named(together.around(value - found[0], drawn - redrawn[0], people))
            for value, drawn in zip(found[1:], redrawn[1:], strict=True)
        ),
        only=tuple(_only_one(right[0], other, people) for other in right[1:]),
        confidence=draws.confidence,
        confidence_of_difference=together.confidence,
        replicates=draws.replicates,
    )


def _redrawn(kinds: Kinds, patterns: Counts, space: LabelSpace, draws: Bootstrap) -> Floats:
    """Return the measures of each model over the same redrawn people, (M, R, measures).

    People are grouped by the patterns of answers to their photos; `patterns` has the cell of each model's
    confusion matrix that each pattern counts in, (M, P).
    """
    from scipy.sparse import csr_array

    classes, (models, count) = len(space), patterns.shape
    one, place = np.ones(count, np.int64), np.arange(count)
    into = [csr_array((one, (place, row)), shape=(count, classes**2)) for row in patterns]  # (P, C * C)
    return np.concatenate(
        [
            np.stack([metrics.overall((counts @ each).reshape(-1, classes, classes), space) for each in into])
            for counts in draws.redrawn(kinds, count, room=models * classes**2)
        ],
        axis=1,
    )


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
