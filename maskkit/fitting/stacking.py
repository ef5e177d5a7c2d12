"""Stacking: learn, from out-of-fold predictions, how much each member knows of each class.

Wolpert 1992, https://doi.org/10.1016/S0893-6080(05)80023-1. The second level is a logistic regression over
the members' log-probabilities, which has the geometric mean among what it can express, and is held small
(L2), because classes are many and people of the rare ones few (Ting and Witten 1999,
https://doi.org/10.1613/jair.594, found a regularised linear model over probabilities to do best).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.predicting.blend_rule import Stack, features_of
from maskkit.scoring import metrics
from maskkit.scoring.metrics import Floats, Integers, Probabilities

GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # inverse strengths of the regularisation
STEPS = 1000


def fit_stack(
    truth: Integers, probs: Sequence[Probabilities], fold: Integers, *, grid: Sequence[float] = GRID
) -> Stack:
    """Fit the second level, as strongly regularised as does best on people it was not fitted to.

    Truth is (N,), probabilities (N, C) per member. The strength is chosen by folds, (N,), photos of a person
    in one, from a grid of inverse strengths, ascending; of two that do as well, the stronger.

    Raises:
        MaskkitError: All photos are of one class, or all in one fold.
    """
    features, classes = features_of(probs), probs[0].shape[1]
    folds = np.unique(fold)
    if len(folds) < 2 or any(len(np.unique(truth[fold != held])) < 2 for held in folds):
        raise MaskkitError(
            "there are too few people to stack the members",
            why="the regularisation is chosen on people left out, the others being of two classes or more",
            fix="use --vote soft, or give predictions of more people",
        )
    losses = sum(_losses(truth, features, fold == held, grid, classes) for held in folds)  # (grid,)
    best = grid[int(np.argmin(losses))]
    return Stack(_fit(_regression(best), features, truth), classes, best)


def _losses(
    truth: Integers, features: Floats, is_held: NDArray[np.bool_], grid: Sequence[float], classes: int
) -> Floats:
    """Return the log loss on the photos held out, summed over them, by strength, (grid,)."""
    losses, model = np.empty(len(grid)), _regression(grid[0], warm_start=True)  # each from the one before
    found = np.zeros((int(is_held.sum()), classes))
    for place, strength in enumerate(grid):
        model = _fit(model.set_params(C=strength), features[~is_held], truth[~is_held])
        found[:, model.classes_] = model.predict_proba(features[is_held])
        losses[place] = metrics.log_loss(truth[is_held], found) * len(found)
    return losses


def _regression(inverse_strength: float, *, warm_start: bool = False) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=inverse_strength, max_iter=STEPS, warm_start=warm_start)


def _fit(model: Any, features: Floats, truth: Integers) -> Any:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so late, more steps change no answer
        return model.fit(features, truth)
