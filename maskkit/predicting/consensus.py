"""Photos of one person share a gender and an age: let them agree on it, and on nothing else.

Of each photo the model predicts how likely each combination of personal factors is. A person's photos are
taken together by the geometric mean of these, the logarithmic pool (Genest and Zidek 1986,
https://doi.org/10.1214/ss/1177013825). A product would suppose photos that know nothing of each other,
and photos of a person are near-copies. What is predicted of a photo's other factors, given the personal
ones, stays its own.
"""

from __future__ import annotations

import numpy as np

from maskkit.artifacts.decision import SMALLEST
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import Floats, Integers, Probabilities


def personal_axes(space: LabelSpace) -> tuple[int, ...]:
    """Return the places of the factors that all photos of a person share.

    Raises:
        MaskkitError: The task names none.
    """
    axes = tuple(place for place, factor in enumerate(space.factors) if factor.personal)
    if not axes:
        raise MaskkitError(
            "the task names no factor that all photos of a person share",
            why="only such factors can be agreed on",
            fix="write `personal = true` beside them in the task file, and run `maskkit label` again",
        )
    return axes


def agreed(probs: Probabilities, person: Integers, space: LabelSpace) -> Floats:
    """Return the probabilities after each person's photos have agreed on the personal factors.

    Args:
        probs: Class probabilities, (N, C), rows sum to 1.
        person: A code per person, negative where unknown, (N,); such rows stay as they are.
        space: The classes.

    Returns:
        Probabilities (N, C), rows sum to 1; of a person's photos all have the same marginal
        probabilities of the personal factors together.

    Raises:
        MaskkitError: The task has no personal factor.
    """
    others = tuple(1 + axis for axis in range(len(space.factors)) if axis not in personal_axes(space))
    known = np.flatnonzero(person >= 0)
    joint = np.asarray(probs, np.float64)[known].reshape(-1, *space.shape)  # (K, L1, L2, ...)
    own = joint.sum(axis=others, keepdims=True)  # (K, 1, L2, ...)
    number = np.unique(person[known], return_inverse=True)[1].ravel()  # (K,)
    logs = np.log(np.maximum(own, SMALLEST)).reshape(len(known), -1)  # (K, cells)
    photos = np.bincount(number)
    sums = np.stack([np.bincount(number, column, minlength=len(photos)) for column in logs.T], axis=1)
    pooled = np.exp(sums / photos[:, None])  # (people, cells)
    pooled /= pooled.sum(axis=1, keepdims=True)
    even = own.size / joint.size  # where a photo rules a combination out, nothing is known of the rest
    given = np.divide(joint, own, out=np.full_like(joint, even), where=own > 0)
    together = given * pooled[number].reshape(own.shape)
    result = np.asarray(probs, np.float64).copy()
    rows = together.reshape(len(known), -1)
    result[known] = rows / rows.sum(axis=1, keepdims=True)
    return result
