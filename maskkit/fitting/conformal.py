"""Sets of classes that hold the truth of a promised share of photos, calibrated on out-of-fold predictions.

A class is in the set if it is as probable as a threshold, the highest with which the sets of the photos
calibrated on hold enough truths: least ambiguous sets (Sadinle, Lei and Wasserman 2019,
https://doi.org/10.1080/01621459.2017.1395341). Adaptive sets (Romano, Sesia and Candes 2020,
https://arxiv.org/abs/2006.02544; regularised, Angelopoulos et al. 2021, https://arxiv.org/abs/2009.14193)
were larger at the same coverage: see benchmarks/README.md.

Photos of one person are not exchangeable with those of another, but people are. So each person weighs one,
however many photos there are, and the person to come counts as one whose truths are all missed: hierarchical
conformal prediction (Lee, Barber and Willett 2023, https://arxiv.org/abs/2306.06342; on two-layer models
before, Dunn, Wasserman and Ramdas 2022, https://doi.org/10.1080/01621459.2022.2060112). What is promised: of
a new person, drawn as those calibrated on were, the truth of a photo drawn at random is in its set with that
probability at least; on average over people, not for each. With `per` the same holds among photos of each
class, or of each level of a factor (Mondrian; Vovk 2012, https://proceedings.mlr.press/v25/vovk12.html), as
the average hides the rare. The answer is always in its set, because an empty one says nothing, so that an
easy factor is held more often than promised.

That is proven for one model that has seen none of these people. Out-of-fold predictions are of several, each
of which has seen most of the others (cross-conformal; Vovk 2015, https://doi.org/10.1007/s10472-013-9368-4):
what is proven then is weaker, and what is seen is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import pyarrow as pa

from maskkit.artifacts.answer_sets import CLASS, AnswerSets, Promise
from maskkit.artifacts.columns import Floats, Ints, encoded
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, examples
from maskkit.fitting.people_parts import parts_of_people
from maskkit.labels import Factor, LabelSpace
from maskkit.scoring.judged import Judged
from maskkit.scoring.kinds import number_people
from maskkit.scoring.metrics import Probabilities, factor_probs

ROUNDING = 1e-9  # of sums of shares
NEW = -1  # stands for people who are not among those calibrated on


@dataclass(frozen=True)
class Calibrated:
    """Out-of-fold predictions beside their truth, on which sets are calibrated."""

    promise: Promise
    space: LabelSpace
    truth: Ints  # (N,)
    probs: Probabilities  # (N, C)
    person: Ints  # a code per person, each photo of nobody known being a person, (N,)
    part: Ints  # by which people are divided to see how sets fare on others, (N,)
    paths: pa.ChunkedArray  # of the photos, (N,)
    names: pa.ChunkedArray  # of their people, null where unknown, (N,)

    @classmethod
    def of(cls, judged: Judged, promise: Promise) -> Calibrated:
        """Take photos whose class is known, and one prediction of each.

        Raises:
            MaskkitError: There are no probabilities, they were adjusted, or there are too few people.
        """
        predictions = judged.given[0]
        if predictions.adjusted:
            raise MaskkitError(
                f"{predictions.name} went through a {' and '.join(predictions.adjusted)} before",
                why="sets are calibrated on probabilities as the models gave them",
                fix="give what `maskkit predict --oof` wrote, without --consensus, --decide and --calibrate",
            )
        table = judged.manifest.table.select(["path", "person_id"]).take(pa.array(judged.rows))
        found = cls(
            promise, judged.space, judged.truth, judged.need_probs("sets are of likely classes"),
            number_people(judged.person, rows=len(judged.rows)), _parts(judged),
            table["path"], table["person_id"],
        )  # fmt: skip
        found._thresholds(NEW)  # better refused now than after a million photos
        return found

    def part_of(self, manifest: Manifest) -> Ints:
        """Return in which part the person of each photo was calibrated on, (rows,); `NEW` if in none."""
        of_person = _looked_up(manifest.table["person_id"], self.names, self.part)
        of_path = _looked_up(manifest.table["path"], self.paths, self.part)
        return np.where(of_person == NEW, of_path, of_person)

    def sets(self, probs: Probabilities, part: Ints) -> AnswerSets:
        """Return the sets of photos, (N, C), each calibrated without the people of its part, (N,)."""
        views = [np.zeros(one.shape, np.bool_) for one in _views(probs, self.space)]
        for one in np.unique(part):
            rows = np.flatnonzero(part == one)
            given = zip(views, _views(probs[rows], self.space), self._thresholds(int(one)), strict=True)
            for view, own, least in given:
                view[rows] = own >= least
                view[rows, own.argmax(axis=1)] = True
        return AnswerSets(self.promise, views[0], tuple(views[1:]))

    def sets_of_others(self) -> AnswerSets:
        """Return the set of each photo calibrated on, by the people of the other parts, (N,)."""
        return self.sets(self.probs, self.part)

    def _thresholds(self, without: int) -> list[Floats]:
        """Return the least probability with which each class, and each level of each factor, is in a set."""
        rows = self.part != without
        person, found = self.person[rows], []
        truths = [self.truth, *_levels(self.truth, self.space)]
        views = zip(
            _groups(self.space, self.promise.per), truths, _views(self.probs, self.space), strict=True
        )
        for groups, truth, view in views:
            own, group = view[np.arange(len(truth)), truth][rows], groups.of_each[truth[rows]]
            least = [
                least_probability(own[group == one], person[group == one], self.promise.coverage)
                for one in range(len(groups.names))
            ]
            if None in least:
                people = [len(np.unique(person[group == one])) for one in range(len(groups.names))]
                raise _too_few(people, groups.names, self.promise)
            found.append(np.array(least, np.float64)[groups.of_each])
        return found


@dataclass(frozen=True)
class _Groups:
    """Classes, or levels of a factor, that share a threshold."""

    names: Sequence[str]  # of the groups
    of_each: Ints  # the group of each class or level


def least_probability(own: Floats, person: Ints, coverage: float) -> float | None:
    """Return the highest threshold that so many truths reach; None if the people are too few to promise that.

    The probabilities of the true classes and codes of people are (N,). Each person counts as one, and one who
    is to come as missed.
    """
    _, code, photos = np.unique(person, return_inverse=True, return_counts=True)
    order = np.argsort(-own, kind="stable")
    kept = np.cumsum(1 / photos[code[order]])  # people, by their shares of photos, down to each threshold
    enough = np.flatnonzero(kept >= coverage * (len(photos) + 1) - ROUNDING)
    return float(own[order[enough[0]]]) if len(enough) else None


def people_needed(coverage: float) -> int:
    """Return how few people can keep such a promise: the last must be allowed to be missed."""
    return ceil(coverage / (1 - coverage) - ROUNDING)


def _groups(space: LabelSpace, per: str | None) -> list[_Groups]:
    """Return the groups of the classes, and of the levels of each of several factors."""
    factors = space.factors if len(space.factors) > 1 else ()
    whole = [_Groups(["all"], np.zeros(size, np.int64)) for size in (len(space), *map(_size, factors))]
    if per is None:
        return whole
    alone = [
        _Groups(names, np.arange(len(names))) for names in (space.names, *(one.levels for one in factors))
    ]
    if per == CLASS:
        return alone
    places = [place for place, factor in enumerate(space.factors) if factor.name == per]
    if not places:
        raise MaskkitError(
            f"cannot promise sets per {per!r}",
            why=f"there is {CLASS}, and the factors {', '.join(factor.name for factor in space.factors)}",
            fix=f"use --sets-per {CLASS}",
        )
    levels = np.unravel_index(np.arange(len(space)), space.shape)[places[0]]
    whole[0] = _Groups(space.factors[places[0]].levels, np.asarray(levels, np.int64))
    if factors:
        whole[1 + places[0]] = alone[1 + places[0]]
    return whole


def _size(factor: Factor) -> int:
    return len(factor.levels)


def _too_few(people: Sequence[int], names: Sequence[str], promise: Promise) -> MaskkitError:
    needed = people_needed(promise.coverage)
    lacking = [f"{few} of {name}" for few, name in zip(people, names, strict=True) if few < needed]
    instead = "promise less" if promise.per is None else "leave out --sets-per, or promise less"
    return MaskkitError(
        f"too few people for sets that hold {promise.coverage:g} of the truths: {examples(lacking)}",
        why=f"{needed} of each are needed, besides those of the part that is looked at",
        fix=f"{instead}, or give predictions of more people",
    )


def _parts(judged: Judged) -> Ints:
    """Return the fold of each photo, (N,), or a part of its own making where folds divide people."""
    fold = judged.fold
    if fold is not None and (fold >= 0).all() and len(np.unique(fold)) > 1:
        pairs = np.unique(np.stack([judged.person, fold]), axis=1)[0]
        if len(np.unique(pairs[pairs >= 0])) == (pairs >= 0).sum():
            return fold
    return parts_of_people(judged, seed=0, fewest=2)


def _looked_up(texts: pa.ChunkedArray, known: pa.ChunkedArray, part: Ints) -> Ints:
    """Return the part of each of some texts, by the parts of known ones; `NEW` where they are unknown."""
    import pyarrow.compute as pc

    code, values = encoded(known)
    parts = np.full(len(values) + 1, NEW)
    parts[code[code >= 0]] = part[code >= 0]
    places = pc.index_in(texts.cast(pa.string()), value_set=values)
    return np.asarray(parts[places.fill_null(len(values)).to_numpy()], np.int64)


def _views(probs: Probabilities, space: LabelSpace) -> list[Probabilities]:
    """Return the probabilities of the classes, (N, C), and of each of several factors' levels, (N, L)."""
    factors = range(len(space.factors)) if len(space.factors) > 1 else ()
    return [probs, *(factor_probs(probs, space, factor) for factor in factors)]


def _levels(truth: Ints, space: LabelSpace) -> list[Ints]:
    return list(np.unravel_index(truth, space.shape)) if len(space.factors) > 1 else []
