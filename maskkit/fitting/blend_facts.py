"""What is known of a blend: how differently its members answer, and what it gains, as plain values.

Pairwise measures of Kuncheva and Whitaker 2003, https://doi.org/10.1023/A:1022859003006, who also found that
none of them predicts well what a vote gains. They tell copies from second opinions; `--fit` tells the gain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskkit.scoring.metrics import Integers
from maskkit.scoring.results import Estimate

if TYPE_CHECKING:
    from maskkit.fitting.blend import Fitted


@dataclass(frozen=True)
class MemberPair:
    """Two members beside each other."""

    first: int  # index of one
    second: int  # index of the other
    disagreement: float  # share of photos on which their answers differ
    double_fault: float | None = None  # share of photos that both have wrong; None without truth
    # From -1, where they are wrong on different photos, over 0, where one's mistakes have nothing to do with
    # the other's, to 1; None without truth, or where it is 0/0
    q_statistic: float | None = None


def pairs(answers: Sequence[Integers], truth: Integers) -> Iterator[MemberPair]:
    """Yield each two members, from the class that each answers, (N,) per member, and the truth, (N,)."""
    right = [answer == truth for answer in answers]
    for one, other in combinations(range(len(answers)), 2):
        disagreement = float((answers[one] != answers[other]).mean())
        both, neither = (int((right[one] & right[other]).sum()), int((~right[one] & ~right[other]).sum()))
        first, second = (int((right[one] & ~right[other]).sum()), int((~right[one] & right[other]).sum()))
        odds = both * neither, first * second
        q = (odds[0] - odds[1]) / sum(odds) if sum(odds) else None
        yield MemberPair(one, other, disagreement, neither / len(right[one]), q)


def verdicts(found: Fitted) -> list[str]:
    """Say what the blend gains, on people not fitted to, over the best member and over a vote of equals."""
    equal = "the mean of all members" if found.plan.vote == "stacking" else "the vote of equal members"
    return [
        _verdict(found.over_best, "the best single member", found.confidence_of_gain),
        _verdict(found.over_equal, equal, found.confidence_of_gain),
    ]


def _verdict(gain: Estimate, other: str, confidence: float) -> str:
    if gain.value is None or gain.low is None or gain.high is None:
        return f"the blend cannot be compared with {other}"
    interval = f"{100 * confidence:.4g} % interval {_signed(gain.low)} to {_signed(gain.high)}"
    return f"{_signed(gain.value)} ({interval}) over {other}: {gain.verdict}"


def _signed(value: float) -> str:
    short = f"{round(value, 3) + 0.0:+.3f}"
    return short.lstrip("+") if short == "+0.000" else short


def ensemble_json(
    found: Fitted | None,
    pairs: Sequence[MemberPair] | None,
    agreement: NDArray[np.float64],
    names: Sequence[str],
) -> dict[str, Any]:
    """Return what is known of an ensemble, as plain dicts and lists.

    Without a fit it is how differently members answer: beside the truth, if `pairs` are known, or else by the
    share of photos on which two answer alike, (members, members).
    """
    facts: dict[str, Any] = {"blended": list(names)}
    if found is not None:
        return facts | _fit_json(found)
    if pairs is None:
        among = combinations(range(len(names)), 2)
        pairs = [MemberPair(one, other, 1 - float(agreement[one, other])) for one, other in among]
    return facts | {"pairs": _pairs_json(pairs, names)}


def _fit_json(found: Fitted) -> dict[str, Any]:
    weights = _shares(found.rule.weights, len(found.names))
    by_fold = [_shares(rule.weights, len(found.names)) for rule in found.nested.rules]
    members = [
        {
            "fitted_on": name,
            "weight": weights[place],
            "weight_without_each_fold": [each[place] for each in by_fold],
            "macro_f1_alone": vars(found.own[place]),
        }
        for place, name in enumerate(found.names)
    ]
    return {
        "vote": found.plan.vote,
        "search": None if found.plan.vote == "stacking" else found.plan.search,
        "max_members": found.plan.most_members,
        "photos": found.rows,
        "people": found.people,
        "folds": len(found.nested.rules),
        "seed": found.seed,
        "members": members,
        "inverse_strength": None if found.rule.stack is None else found.rule.stack.inverse_strength,
        "macro_f1": {
            "blend_on_the_people_it_was_fitted_to": found.in_sample,
            "blend_on_other_people": vars(found.blend),
            "best_member_on_other_people": vars(found.best),
            "best_member_without_each_fold": [found.names[place] for place in found.nested.best],
            "equal_vote": vars(found.equal),
            "confidence": found.confidence,
        },
        "gain_on_other_people": {
            "over_best_member": {**vars(found.over_best), "is_noise": found.over_best.is_noise},
            "over_equal_vote": {**vars(found.over_equal), "is_noise": found.over_equal.is_noise},
            "confidence_together": found.confidence_of_gain,
        },
        "verdicts": verdicts(found),
        "pairs": _pairs_json(found.pairs, found.names),
    }


def _pairs_json(pairs: Sequence[MemberPair], names: Sequence[str]) -> list[dict[str, Any]]:
    measures = ("disagreement", "double_fault", "q_statistic")
    return [
        {"files": [names[one.first], names[one.second]], **{name: getattr(one, name) for name in measures}}
        for one in pairs
    ]


def fit_fact(found: Fitted) -> dict[str, Any]:
    """Return what the header of the blend has of it: plain values, short."""
    return {
        "weights": None if found.rule.weights is None else list(_shares(found.rule.weights, 0)),
        "inverse_strength": None if found.rule.stack is None else found.rule.stack.inverse_strength,
        "macro_f1_on_other_people": found.blend.value,
        "gain_over_best_member": [found.over_best.value, found.over_best.low, found.over_best.high],
    }


def _shares(weights: Sequence[float] | None, members: int) -> Sequence[float | None]:
    """Return weights that sum to 1; none of a stack, whose members have one for each class."""
    if weights is None:
        return [None] * members
    return [weight / sum(weights) for weight in weights]
