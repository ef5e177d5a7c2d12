"""Compare scores by which sets of classes are made, each fold calibrated on the others.

    python benchmarks/sets.py folds.parquet oof.parquet

At the same promise a set should be small, and hold the truth as often of each level as of all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import CLASS
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.fitting.conformal import least_probability
from maskkit.scoring.judged import Judged
from maskkit.scoring.set_scores import share_of_people

Floats = NDArray[np.float64]
PENALTY, FREE = 0.01, 2  # of regularised adaptive sets, as their paper has them


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--promise", type=float, default=0.9)
    given = parser.parse_args()
    manifest = Manifest.read(given.manifest)
    judged = Judged.of(manifest, [Predictions.read(given.predictions)], "same").unseen()
    levels = np.stack(np.unravel_index(np.arange(len(judged.space)), judged.space.shape), axis=1)
    names = [f"{factor.name} {level}" for factor in judged.space.factors for level in factor.levels]
    print("| score | per | held | size | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 4) + "|")
    for name, score in SCORES.items():
        sureness = score(np.asarray(judged.need_probs("sets"), np.float64))
        for per in (None, *(factor.name for factor in judged.space.factors), CLASS):
            held, size = nested(judged, sureness, groups(judged, levels, per), given.promise)
            own = [held, *(held[levels[judged.truth, at] == level] for at, level in places(judged))]
            who = [
                judged.person,
                *(judged.person[levels[judged.truth, at] == level] for at, level in places(judged)),
            ]
            shares = [
                share_of_people(one, person, 0.95).value or 0.0 for one, person in zip(own, who, strict=True)
            ]
            print(
                f"| {name} | {per or 'all'} | {shares[0]:.3f} | {size:.2f} | "
                + " | ".join(f"{one:.3f}" for one in shares[1:])
                + " |"
            )


def places(judged: Judged) -> list[tuple[int, int]]:
    return [(at, level) for at, size in enumerate(judged.space.shape) for level in range(size)]


def groups(judged: Judged, levels: NDArray[np.int64], per: str | None) -> NDArray[np.int64]:
    """Return the group of each class that shares a threshold, (C,)."""
    if per == CLASS:
        return np.arange(len(levels))
    factors = [factor.name for factor in judged.space.factors]
    return np.zeros(len(levels), np.int64) if per is None else levels[:, factors.index(per)]


def nested(
    judged: Judged, sureness: Floats, group: NDArray[np.int64], promise: float
) -> tuple[NDArray[np.bool_], float]:
    """Return whether each set holds the truth, (N,), and the mean size; sure classes are in it."""
    assert judged.fold is not None
    truth, fold = judged.truth, judged.fold
    own = sureness[np.arange(len(truth)), truth]
    sets = np.zeros(sureness.shape, np.bool_)
    for held_out in np.unique(fold):
        others = fold != held_out
        least = [
            least_probability(own[part], judged.person[part], promise)
            for part in (others & (group[truth] == one) for one in range(group.max() + 1))
        ]
        each = np.array([-np.inf if one is None else one for one in least])
        sets[~others] = sureness[~others] >= each[group]
    return sets[np.arange(len(truth)), truth], float(sets.sum(axis=1).mean())


def adaptive(probs: Floats, *, is_random: bool, penalty: float = 0.0) -> Floats:
    """Return less the probability of all classes that are likelier, and of the class or a part of it."""
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    part = np.random.default_rng(0).random((len(probs), 1)) if is_random else 1.0
    mass = ranked.cumsum(axis=1) - ranked * (1 - part)
    mass += penalty * np.maximum(np.arange(1, probs.shape[1] + 1) - FREE, 0)
    result = np.empty_like(probs)
    np.put_along_axis(result, order, -mass, axis=1)
    return result


SCORES: dict[str, Callable[[Floats], Floats]] = {
    "least ambiguous": lambda probs: probs,
    "adaptive": lambda probs: adaptive(probs, is_random=False),
    "adaptive, at random": lambda probs: adaptive(probs, is_random=True),
    "regularised": lambda probs: adaptive(probs, is_random=False, penalty=PENALTY),
    "regularised, at random": lambda probs: adaptive(probs, is_random=True, penalty=PENALTY),
}


if __name__ == "__main__":
    main()
