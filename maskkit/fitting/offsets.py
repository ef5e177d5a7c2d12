"""Numbers between a model's probabilities and its answers, chosen for macro-F1.

The largest probability is the answer that is right most often, which is not the one that makes macro-F1
largest: there, an answer of a rare class wins more than it loses (Lipton et al. 2014,
https://arxiv.org/abs/1402.1892; for imbalanced classes Menon et al. 2020, https://arxiv.org/abs/2007.07314).
What is tuned is an offset to the log probabilities of each class, or of all classes with one level of a
factor: 18 numbers in the home task, 5 or 2. Between two neighbouring levels of a number, such as age, that
moves the threshold.

A rare class has few people, and offsets that make the macro-F1 of these very answers largest fit their luck:
with 650 people, they lost on other people what they had won on their own. So it is done in two steps, each of
which uses all photos. First the probabilities are made to agree with how often each class occurs, by a scale
and an offset per term (bias-corrected temperature scaling, Alexandari et al. 2020,
https://arxiv.org/abs/1901.06852), held back by a ridge. Then offsets are found with which the macro-F1 to
be expected by these is largest, one after the other, each exactly, until none brings more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import SMALLEST
from maskkit.artifacts.decision import Decision
from maskkit.errors import MaskkitError
from maskkit.fitting.line_search import EQUAL, line
from maskkit.fitting.temperature import HIGHEST, LOWEST, fit_temperature
from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import Floats, Integers, check_pairs

CLASSES: Final = "classes"
FACTORS: Final = "factors"
TEMPERATURE: Final = "temperature"

BOUND = 5.0  # of an offset: 150 times as likely
RIDGE = 1.0  # nats that an offset of 1 costs in calibrating, as much as a handful of photos weigh
_MOST_SWEEPS = 50  # a few are enough


@dataclass(frozen=True)
class Term:
    """What has one offset: a class, or all classes with one level of a factor."""

    name: str  # of the class, or factor and level
    classes: NDArray[np.bool_]  # which they are, (C,)


def terms(space: LabelSpace, method: str) -> tuple[Term, ...]:
    """Return what a method gives an offset; nothing for `temperature`.

    The first level of a factor has none: only differences between levels count.

    Raises:
        MaskkitError: There is no such method.
    """
    factors = [factor.name for factor in space.factors]
    if method not in (CLASSES, FACTORS, TEMPERATURE, *factors):
        raise MaskkitError(
            f"cannot tune {method!r}",
            why=f"the methods are {CLASSES}, {FACTORS}, {TEMPERATURE}, and a factor: {', '.join(factors)}",
            fix=f"use --tune {FACTORS}",
        )
    number = np.arange(len(space))
    if method == CLASSES:
        return tuple(Term(name, number == index) for index, name in enumerate(space.names))
    levels = np.unravel_index(number, space.shape)  # one (C,) per factor
    return tuple(
        Term(f"{factor.name} {level}", own == place)
        for factor, own in zip(space.factors, levels, strict=True)
        if method in (FACTORS, factor.name)
        for place, level in enumerate(factor.levels)
        if place
    )


def tune(truth: Integers, probs: NDArray[np.floating[Any]], space: LabelSpace, method: str) -> Decision:
    """Tune on truths, (N,), and probabilities, (N, C), of photos that the models were not trained on.

    The method is `classes`, `factors`, the name of a factor, or `temperature`. The decision is without
    history; what it measured are the `offsets` by term.

    Raises:
        MaskkitError: There is no such method, or no photo.
    """
    check_pairs(truth, probs)
    chosen = terms(space, method)
    if method == TEMPERATURE:
        return Decision.make(space, [], method=method, temperature=fit_temperature(truth, probs))
    logs = np.log(np.maximum(probs, SMALLEST, dtype=np.float64))  # (N, C)
    found = ascend(logs, calibrated(truth, logs, chosen), chosen)
    offsets = sum(one * term.classes for one, term in zip(found, chosen, strict=True))  # (C,)
    return Decision.make(
        space,
        [],
        method=method,
        offsets=np.asarray(offsets).tolist(),
        measured={"offsets": {term.name: float(one) for term, one in zip(chosen, found, strict=True)}},
    )


def nested(
    truth: Integers, probs: NDArray[np.floating[Any]], part: Integers, space: LabelSpace, method: str
) -> tuple[NDArray[np.float32], list[Decision]]:
    """Tune on all parts but one, decide that one, in turn; all photos of a person are in one part, (N,).

    Returns:
        Probabilities, each photo's decided as tuned on the other parts, (N, C), and the parts' decisions.
    """
    decided = np.empty(probs.shape, np.float32)
    decisions = []
    for one in np.unique(part):
        own = part == one
        decisions.append(tune(truth[~own], probs[~own], space, method))
        decided[own] = decisions[-1].applied(probs[own])
    return decided, decisions


def ascend(logs: Floats, shares: Floats, chosen: Sequence[Term]) -> Floats:
    """Return the offset of each term, each the best while the others stay, (terms,).

    Log probabilities and how likely each class is the truth are (N, C).
    """
    found = np.zeros(len(chosen))
    scores = logs.copy()
    for _ in range(_MOST_SWEEPS):
        has_moved = False
        for place, term in enumerate(chosen):
            scores[:, term.classes] -= found[place]
            along = line(scores, term.classes, shares, bound=BOUND)
            shift, height = along.best()
            if height > along.at(found[place]) + EQUAL:
                found[place], has_moved = shift, True
            scores[:, term.classes] += found[place]
        if not has_moved:
            break
    return found


def calibrated(truth: Integers, logs: Floats, chosen: Sequence[Term]) -> Floats:
    """Return probabilities that agree with how often what has an offset occurs, (N, C), as `logs` are."""
    from scipy.optimize import minimize

    design = np.stack([term.classes for term in chosen]).astype(np.float64)  # (terms, C)
    own, occurs = logs[np.arange(len(truth)), truth].sum(), design[:, truth].sum(axis=1)

    def powers(values: Floats) -> tuple[Floats, Floats]:
        scaled = logs * values[0] + values[1:] @ design
        highest = scaled.max(axis=1, keepdims=True)
        found = np.exp(scaled - highest)
        total = found.sum(axis=1, keepdims=True)
        return found / total, np.log(total) + highest

    def loss(values: Floats) -> tuple[float, Floats]:
        shares, total = powers(values)
        offsets = values[1:]
        nats = total.sum() - values[0] * own - offsets @ occurs + RIDGE * (offsets @ offsets)
        slope = design @ shares.sum(axis=0) - occurs + 2 * RIDGE * offsets
        return float(nats), np.concatenate([[(shares * logs).sum() - own], slope])

    start = np.concatenate([[1.0], np.zeros(len(chosen))])
    bounds = [(1 / HIGHEST, 1 / LOWEST), *[(-BOUND, BOUND)] * len(chosen)]
    return powers(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)[0]
