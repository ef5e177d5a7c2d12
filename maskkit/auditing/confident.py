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
        likely: The most probable class, (n,).
        own: Probability of the given label, (n,), NaN where unknown.
        other: Probability of the likely class, (n,).
        sureness: The same as a share of the mean probability of that class among those labelled
            with it, (n,); NaN if there are none.
        distance: How far the probable classes are from the given one on average, (n,), in steps;
            for classes without an order, the probability of any other.
    """

    given: NDArray[np.int64]
    likely: NDArray[np.int64]
    own: NDArray[np.float64]
    other: NDArray[np.float64]
    sureness: NDArray[np.float64]
    distance: NDArray[np.float64]

    def suspect(self, least: float) -> NDArray[np.bool_]:
        """Return whether another class is likely, with this sureness at least, (n,).

        With 1, the paper's threshold, these are the examples off the diagonal of the confident joint. As
        the threshold is a mean, about half of the wrong labels of an easy class stay below it.
        """
        return np.asarray((self.given >= 0) & (self.likely != self.given) & (self.sureness >= least))


def confident(probs: NDArray[np.floating], given: NDArray[np.int64], *, is_ordered: bool) -> Confident:
    """Compare labels with out-of-fold probabilities.

    How sure models are of class j is measured by the mean probability of j among those labelled j (the
    paper's threshold t_j, equation 2), so that classes on which they are unsure, such as rare ones,
    are not suspected wholesale.

    Args:
        probs: Of models that have not seen the example, (n, classes), rows sum to 1.
        given: The labels, (n,), -1 where unknown.
        is_ordered: Whether class 2 is further from 0 than 1 is.
    """
    known = given >= 0
    classes = probs.shape[1]
    usual = np.array(
        [probs[given == one, one].mean() if (given == one).any() else np.nan for one in range(classes)]
    )
    likely = probs.argmax(axis=1)
    rows = np.arange(len(probs))
    other = probs[rows, likely].astype(np.float64)
    own = np.where(known, probs[rows, given], np.nan).astype(np.float64)
    steps = np.abs(np.arange(classes) - given[:, None])  # (n, classes)
    distance = (probs * (steps if is_ordered else steps > 0)).sum(axis=1)
    return Confident(given, likely, own, other, other / usual[likely], distance)


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
