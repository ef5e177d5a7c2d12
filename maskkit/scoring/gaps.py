"""How far the best and the worst of several levels, such as bands of age, are apart, and how sure that is.

The largest of several differences is larger than the true one, also where all levels are alike, so that its
percentile interval would hardly ever reach 0. Instead, each gap is asked whether it could have led to the
one found (an interval as an inverted test, Neyman 1937, https://doi.org/10.1098/rsta.1937.0005): levels that
span it get the noise of resampled people, and the gap is in the interval of 95 % unless what was found is
further off than 95 % of what then comes about. Where the levels in between lie is not known. Those not
clearly apart from the best are taken to be as good, those not clearly apart from the worst as bad, which
leads to the largest gaps by chance (as moments are selected, Andrews and Soares 2010,
https://doi.org/10.3982/ECTA7502).

In simulations (benchmarks/gaps.py) it held the true gap in 93 to 97 %, whether there was one or not, and in
99 % of those with six levels evenly apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskkit.artifacts.columns import Bools, Floats, Ints, distinct
from maskkit.scoring.intervals import CONFIDENCE
from maskkit.scoring.kinds import number_people
from maskkit.scoring.results import Estimate

FEWEST = 10  # people of a level; of fewer, one decides which is the worst
ASKED = 120  # gaps that are asked
WIDEST = 8.0  # standard errors of a level around the gap found, within which they are
MOST_COMPARED = 60  # levels
CLEAR = 2.5  # standard errors of a difference
REPLICATES = 1000  # how often people are drawn anew
_CHUNK = 4_000_000  # numbers held at a time


@dataclass(frozen=True)
class Gap:
    """The best and the worst of several levels."""

    by: str  # what the levels are of
    best: str
    worst: str
    gap: Estimate  # share of right answers of the best less that of the worst
    left_out: int  # levels of too few people to be looked at

    @property
    def verdict(self) -> str:
        """Say whether there is a gap."""
        if self.gap.low is None:
            return "nobody can say" if self.gap.value else "none found"
        return "may be none" if not self.gap.low else "more than chance"


def accuracy_gap(
    by: str,
    names: Sequence[str],
    level: Ints,
    is_right: Bools,
    person: Ints,
    *,
    confidence: float = CONFIDENCE,
) -> Gap | None:
    """Return the gap in the share of right answers; None if there are not two levels of ten people, or many.

    The level of each photo, negative for none, whether it is answered rightly, and its person, negative where
    unknown, are (N,).
    """
    people = number_people(person, rows=len(level))
    is_any = level >= 0
    pairs = distinct(people[is_any] * len(names) + level[is_any])
    count = np.bincount(pairs % len(names), minlength=len(names))
    kept = np.flatnonzero(count >= FEWEST)
    if not 2 <= len(kept) <= MOST_COMPARED:
        return None
    rows = np.flatnonzero(np.isin(level, kept))
    value, redrawn = resampled_accuracies(
        np.searchsorted(kept, level[rows]), is_right[rows], people[rows], levels=len(kept)
    )
    last = len(value) - 1 - int(value[::-1].argmin())  # another than the best, where all are alike
    best, worst = names[kept[int(value.argmax())]], names[kept[last]]
    few = int(((count > 0) & (count < FEWEST)).sum())
    return Gap(by, best, worst, gap_between(value, redrawn, confidence), few)


def gap_between(value: Floats, redrawn: Floats, confidence: float) -> Estimate:
    """Return the range of scores, (L,), with its interval, from those of resampled people, (R, L).

    Where each level is all right or all wrong, resampling shows no chance at all, and there is no interval.
    """
    found, noise = float(np.ptp(value)), redrawn - redrawn.mean(axis=0)
    if not np.ptp(redrawn, axis=0).any():
        return Estimate(found, None, None)
    shape = _least_favourable(value, noise)
    reach = WIDEST * float(noise.std(axis=0).max())
    asked = np.append(np.linspace(max(0.0, found - reach), found + reach, ASKED), found)
    off = [np.abs(np.ptp(shape * gap + noise, axis=1) - gap) for gap in asked]
    chance = np.array([(one >= abs(found - gap)).mean() for one, gap in zip(off, asked, strict=True)])
    likely = asked[chance > 1 - confidence]  # the gap that was found always is
    return Estimate(found, float(likely.min()), float(likely.max()))


def _least_favourable(value: Floats, noise: Floats) -> Floats:
    """Return where levels lie between the worst, 0, and the best, 1, if chance is to make large gaps."""
    best, worst = int(value.argmax()), int(value.argmin())
    below, above = (
        np.abs(value - value[one])
        / np.maximum((noise - noise[:, [one]]).std(axis=0), np.finfo(np.float64).tiny)
        for one in (best, worst)
    )
    shape = (value - value[worst]) / max(float(np.ptp(value)), np.finfo(np.float64).tiny)
    shape[(below < CLEAR) & (below <= above)] = 1
    shape[(above < CLEAR) & (above < below)] = 0
    shape[worst], shape[best] = 0, 1
    return np.asarray(shape, np.float64)


def resampled_accuracies(
    level: Ints, is_right: Bools, person: Ints, *, levels: int, replicates: int = REPLICATES
) -> tuple[Floats, Floats]:
    """Return the share of right answers in each level, (L,), and those of people drawn anew, (replicates, L).

    The level of each photo, whether it is right, and whose it is are (N,). A draw in which a level has nobody
    is passed over.
    """
    number = np.unique(person, return_inverse=True)[1]
    of_person, cell = (int(number.max()) + 1, levels), number * levels + level
    parts = (np.bincount(part, minlength=of_person[0] * levels) for part in (cell[is_right], cell))
    each = np.hstack([one.reshape(of_person) for one in parts])  # right answers and photos, (people, 2 L)
    kinds, count = np.unique(each, axis=0, return_counts=True)  # people who are alike in these
    right, photos = np.hsplit(kinds.astype(np.float64), 2)
    people, generator, found = int(count.sum()), np.random.default_rng(0), []
    chunk = max(1, _CHUNK // len(count))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        drawn = generator.multinomial(people, count / people, size=size).astype(np.float64)
        held = drawn @ photos  # whole numbers, so exact in any order of adding
        has_all = (held > 0).all(axis=1)
        found.append((drawn @ right)[has_all] / held[has_all])
    return (count @ right) / (count @ photos), np.concatenate(found)
