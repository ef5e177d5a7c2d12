"""Fit a blend, and judge what it gains by answers to people it was not fitted to.

Weights chosen for the score on some people score better on them than on others. So each fold of people is
answered by a blend fitted to the other folds from scratch, members, weights and regularisation: nested
cross-validation (Stone 1974, https://doi.org/10.1111/j.2517-6161.1974.tb00994.x; Cawley and Talbot 2010,
https://jmlr.org/papers/v11/cawley10a.html). The member that it has to beat, the best one, is chosen by the
same people as the blend, or it would have the advantage of having been picked after the fact.

How differently members answer is measured by pairs, as Kuncheva and Whitaker 2003,
https://doi.org/10.1023/A:1022859003006, who also found that none of these measures predicts well what a vote
gains. They tell copies from second opinions; `--fit` tells the gain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.fitting.member_weights import greedy, linear_pool_weights
from maskkit.options.train_options import Search, Vote
from maskkit.predicting.blend_rule import Rule
from maskkit.scoring import metrics
from maskkit.scoring.judged import Judged
from maskkit.scoring.metrics import MACRO_F1, Integers
from maskkit.scoring.paired import paired
from maskkit.scoring.panel import Panel
from maskkit.scoring.results import Estimate


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


@dataclass(frozen=True)
class Plan:
    """How to find a rule."""

    vote: Vote
    # `greedy` for the highest macro-F1, `weights` for the smallest log loss; of no use to a stack
    search: Search = "greedy"
    most_members: int | None = None  # at most so many members get a weight

    def rule(self, panel: Panel, truth: Integers, fold: Integers) -> Rule:
        """Find the rule that does best on these photos, of which `fold` holds people together, (N,)."""
        if self.vote == "stacking":
            from maskkit.fitting.stacking import fit_stack  # scikit-learn

            assert panel.probs is not None
            return Rule(self.vote, stack=fit_stack(truth, panel.probs, fold))
        if self.search == "weights":
            assert panel.probs is not None
            shares = linear_pool_weights(truth, panel.probs, most_members=self.most_members)
            return Rule(self.vote, tuple(shares.tolist()))
        chosen = greedy(panel, truth, vote=self.vote, most_members=self.most_members)
        return Rule(self.vote, tuple(map(float, chosen)))


@dataclass(frozen=True)
class NestedBlend:
    """Answers to each photo by what was fitted without its person."""

    rules: tuple[Rule, ...]  # of each fold
    best: tuple[int, ...]  # the member that alone did best without each fold
    answer: NDArray[np.int64]  # of the blends, (N,)
    best_answer: NDArray[np.int64]  # of those members, (N,)
    probs: NDArray[np.float32] | None  # of the blends, (N, C); None for a hard vote
    ties: int  # photos on which a hard vote had no single winner


@dataclass(frozen=True)
class Fitted:
    """A rule, and what it is worth."""

    plan: Plan  # how it was found
    names: tuple[str, ...]  # of the members it was fitted to
    rule: Rule  # fitted to all people
    nested: NestedBlend  # the answers it is judged by
    own: tuple[Estimate, ...]  # macro-F1 of each member alone
    in_sample: float  # macro-F1 of the rule on the people it was fitted to
    blend: Estimate  # macro-F1 of the nested answers
    best: Estimate  # the same of the best member, chosen as the blend was
    equal: Estimate  # the same of the vote in which all members count alike; for a stack, of their mean
    over_best: Estimate  # how much better the blend is than the best member
    over_equal: Estimate  # how much better it is than the equal vote
    pairs: tuple[MemberPair, ...]  # how differently each two members answer
    photos: int  # photos
    people: int  # people, a photo without a person counting as a person of its own
    confidence: float  # of each interval of a score
    confidence_of_gain: float  # of the two of a gain, with which both hold together
    seed: int  # of folds


def fitted(judged: Judged, plan: Plan, fold: Integers, *, seed: int) -> Fitted:
    """Fit a blend to all people, and judge it by three folds or more, all photos of a person in one, (N,).

    `seed` is that of the folds.
    """
    panel, truth = judged.panel, judged.truth
    rule = plan.rule(panel, truth, fold)
    nested = nested_answers(panel, truth, fold, plan)
    equal = equal_vote(plan.vote).blended(panel).answer
    found = paired(
        truth,
        [nested.answer, nested.best_answer, equal, *panel.answers],
        space=judged.space,
        person=judged.person,
        comparisons=2,
    )
    scores = [own[MACRO_F1] for own in found.own]
    over_best, over_equal = (_negated(one[MACRO_F1]) for one in found.difference[:2])
    return Fitted(
        plan=plan,
        names=judged.names,
        rule=rule,
        nested=nested,
        own=tuple(scores[3:]),
        in_sample=_macro_f1(truth, rule.blended(panel).answer, panel.classes),
        blend=scores[0],
        best=scores[1],
        equal=scores[2],
        over_best=over_best,
        over_equal=over_equal,
        pairs=tuple(pairs(panel.answers, truth)),
        photos=found.photos,
        people=found.people,
        confidence=found.confidence,
        confidence_of_gain=found.confidence_of_difference,
        seed=seed,
    )


def nested_answers(panel: Panel, truth: Integers, fold: Integers, plan: Plan) -> NestedBlend:
    """Answer for each fold by a rule, and by a single member, found in the other folds."""
    answer, best_answer = (np.zeros(len(truth), np.int64) for _ in range(2))
    probs = None if plan.vote == "hard" else np.zeros((len(truth), panel.classes), np.float32)
    rules, best, ties = [], [], 0
    for held in np.unique(fold):
        inside, outside = np.flatnonzero(fold == held), np.flatnonzero(fold != held)
        known = panel.take(outside)
        rules.append(plan.rule(known, truth[outside], fold[outside]))
        blend = rules[-1].blended(panel.take(inside))
        answer[inside] = blend.answer
        ties += blend.ties
        if probs is not None and blend.probs is not None:
            probs[inside] = blend.probs
        alone = [_macro_f1(truth[outside], answer, panel.classes) for answer in known.answers]
        best.append(int(np.argmax(alone)))
        best_answer[inside] = panel.answers[best[-1]][inside]
    return NestedBlend(tuple(rules), tuple(best), answer, best_answer, probs, ties)


def equal_vote(vote: Vote) -> Rule:
    """Return the vote in which all members count alike; of a stack, their mean."""
    return Rule("soft" if vote == "stacking" else vote)


def _macro_f1(truth: Integers, answer: Integers, classes: int) -> float:
    return float(metrics.macro_f1(metrics.confusion(truth, answer, classes=classes)))


def _negated(one: Estimate) -> Estimate:
    value, low, high = (None if end is None else 0.0 - end for end in (one.value, one.high, one.low))
    return Estimate(value, low, high)


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
        "photos": found.photos,
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
