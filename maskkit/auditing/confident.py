"""Label errors by confident learning, from Northcutt et al. 2021, https://arxiv.org/abs/1911.00068."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-6  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class Confident:
    """What models that have not seen an example make of its label.

    Args:
        given: The label, (n,), -1 where unknown.
        likely: The class that is confidently another one, (n,); the given one elsewhere.
        own: Probability of the given label, (n,), NaN where unknown.
        other: Probability of the likely class, (n,).
        distance: How far the probable classes are from the given one on average, (n,), in steps;
            for classes without an order, the probability of any other.
    """

    given: NDArray[np.int64]
    likely: NDArray[np.int64]
    own: NDArray[np.float64]
    other: NDArray[np.float64]
    distance: NDArray[np.float64]

    @property
    def is_suspect(self) -> NDArray[np.bool_]:
        """Whether each label is confidently another class, (n,): off the diagonal of the confident joint."""
        return np.asarray((self.given >= 0) & (self.likely != self.given))


def confident(probs: NDArray[np.floating], given: NDArray[np.int64], *, is_ordered: bool) -> Confident:
    """Compare labels with out-of-fold probabilities.

    An example counts confidently as class j if its probability of j is at least the mean
    probability of j among those labelled j (the paper's threshold t_j, equation 2), so that classes
    on which models are unsure, such as rare ones, are not suspected wholesale. If several are, the
    most probable counts.

    Args:
        probs: Of models that have not seen the example, (n, classes), rows sum to 1.
        given: The labels, (n,), -1 where unknown.
        is_ordered: Whether class 2 is further from 0 than 1 is.
    """
    known = given >= 0
    classes = probs.shape[1]
    thresholds = np.array(
        [probs[given == one, one].mean() if (given == one).any() else np.inf for one in range(classes)]
    )
    above = np.where(probs >= thresholds, probs, -1.0)  # (n, classes)
    likely = np.where(above.max(axis=1) >= 0, above.argmax(axis=1), given)
    likely = np.where(known, likely, given)
    rows = np.arange(len(probs))
    own = np.where(known, probs[rows, given], np.nan)
    other = np.where(known, probs[rows, likely], np.nan)
    steps = np.abs(np.arange(classes) - given[:, None])  # (n, classes)
    distance = (probs * (steps if is_ordered else steps > 0)).sum(axis=1)
    return Confident(given, likely, own.astype(np.float64), other.astype(np.float64), distance)


def of_person(probs: NDArray[np.floating], person: NDArray[np.int64], people: int) -> NDArray[np.float64]:
    """Return the class probabilities of each person, (people, classes): the geometric mean over their photos.

    A person without photos gets equal probabilities.

    Args:
        probs: Of each photo, (photos, classes).
        person: Whose photo it is, (photos,), -1 if nobody's.
        people: Number of people.
    """
    part = person >= 0
    count = np.bincount(person[part], minlength=people)
    total = np.zeros((people, probs.shape[1]))
    np.add.at(total, person[part], np.log(np.maximum(probs[part], LEAST)))
    mean = np.exp(total / np.maximum(count, 1)[:, None])
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


def of_factor(probs: NDArray[np.floating], shape: tuple[int, ...], factor: int) -> NDArray[np.float64]:
    """Return probabilities of a factor's levels, (n, levels), from those of the classes, (n, classes)."""
    others = tuple(axis + 1 for axis in range(len(shape)) if axis != factor)
    return np.asarray(probs.reshape(len(probs), *shape).sum(axis=others, dtype=np.float64))
