"""Whom the folds of a training held out, and whether the folds of several are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import Run
from maskkit.scoring.judged import places


def held_out(run: Run, on: Manifest | None) -> Mapping[int, NDArray[np.bool_]]:
    """Return who was held out in each fold of a run, (people of `on`,); empty if nobody can say.

    Checkpoints know whom they have seen. People whom no model of several has seen were left out of
    training (weight 0) and tell nothing of the folds.
    """
    if on is None:
        return {}
    people = on.people
    if run.trained:
        if any(one.seen is None for one in run.trained):
            return {}
        unseen = {one.fold: ~one.seen.contains(people.names) for one in run.trained if one.seen is not None}
        nobody = np.all(list(unseen.values()), axis=0) if len(unseen) > 1 else np.zeros(len(people), np.bool_)
        return {fold: mask & ~nobody for fold, mask in unseen.items()}
    if run.predictions is None or run.predictions.fold is None:
        return {}
    place = places(on, run.predictions)
    rows = np.flatnonzero(place >= 0)
    fold, person = run.predictions.fold[place[rows]], people.codes[rows]
    return {
        int(number): np.isin(np.arange(len(people)), person[fold == number])
        for number in np.unique(fold[fold >= 0])
    }


def same_folds(
    people: Sequence[Mapping[int, NDArray[np.bool_]]], manifests: Sequence[frozenset[str]]
) -> bool:
    """Whether runs are known to have held out the same people in the folds that they have in common.

    Known by the manifest that they were trained on, or by the people. In one run people may have been left
    out of training that were not in the other; so one's held-out people may be some of the other's.

    Args:
        people: Of each run, as `held_out` returns it.
        manifests: Digests of the manifests that each run was trained on.
    """
    if all(manifests) and len(frozenset.union(*manifests)) == 1:
        return True
    first = people[0]
    for other in people[1:]:
        common = first.keys() & other.keys()
        if not common or not all(_within(first[fold], other[fold]) for fold in common):
            return False
    return True


def _within(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    both = int((one & other).sum())
    return both > 0 and both == min(int(one.sum()), int(other.sum()))
